"""What a `TextIndex` is made of besides its index: facts that the index keeps for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from moverank.errors import IndexFormatError
from moverank.ranking.calibration import Calibration
from moverank.ranking.passages import Passages
from moverank.text_index.lexical import ANALYZERS

#: Version of the facts, increased with every change that an older reader would misread.
VERSION = 1


@dataclass(frozen=True)
class Settings:
    """Settings of a `TextIndex`.

    Attributes
    ----------
    encoder : mapping or None
        What is kept of the encoder, see `kept_of`.
    passages : Passages or None
        How documents are cut; None if they are indexed whole.
    store_texts : bool
        Whether texts are kept.
    lexical : str or None
        Analyzer of the lexical index; None if there is none.
    ids : {"int", "str"} or None
        Type of the ids; None as long as there were no documents.
    next_id : int
        Id of the next document that is added without one.
    fusion : float or None
        Weight of the similarity by default, if it was fitted.
    calibration : mapping or None
        A `Calibration`, and the options of the searches whose scores it is for.
    """

    encoder: Mapping[str, Any] | None
    passages: Passages | None
    store_texts: bool
    lexical: str | None
    ids: Literal["int", "str"] | None = None
    next_id: int = 0
    fusion: float | None = None
    calibration: Mapping[str, Any] | None = None

    def calibration_for(self, options: Mapping[str, Any] | None) -> Calibration | None:
        """Calibration of searches with these options; None if there is none, or if it is for others."""
        if self.calibration is None:
            return None
        calibration = Calibration.from_json(self.calibration["curve"])
        return calibration if self.calibration["options"] == options else None

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON object."""
        passages = None if self.passages is None else asdict(self.passages)
        return {
            "text_index": VERSION,
            "encoder": None if self.encoder is None else dict(self.encoder),
            "passages": passages,
            "store_texts": self.store_texts,
            "lexical": self.lexical,
            "ids": self.ids,
            "next_id": self.next_id,
            "fusion": self.fusion,
            "calibration": None if self.calibration is None else dict(self.calibration),
        }

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Settings:
        """Read what `as_json` made; IndexFormatError for anything else."""
        try:
            version = facts["text_index"]
            if version != VERSION:
                raise IndexFormatError(f"its texts have version {version!r:.20} of the format, expected {VERSION}")
            passages = facts["passages"]
            found = cls(
                facts["encoder"],
                None if passages is None else Passages(**passages),
                facts["store_texts"],
                facts["lexical"],
                facts["ids"],
                facts["next_id"],
                facts["fusion"],
                facts["calibration"],
            )
            found.calibration_for(None)
        except (KeyError, TypeError, ValueError) as error:
            raise IndexFormatError(f"settings of its texts are damaged: {error}") from None
        kinds: dict[str, Any] = asdict(found)
        sound = (
            isinstance(kinds["store_texts"], bool)
            and kinds["lexical"] in (None, *ANALYZERS)
            and kinds["ids"] in (None, "int", "str")
            and isinstance(kinds["next_id"], int)
            and isinstance(kinds["encoder"], dict | None)
            and (kinds["fusion"] is None or 0 <= kinds["fusion"] <= 1)
        )
        if not sound:
            raise IndexFormatError("settings of its texts contradict each other")
        return found
