"""What belongs to one state of a `TextIndex`, made from what its index keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moverank.errors import IndexFormatError
from moverank.index.parts.attachment import AttachedFile, Attachment
from moverank.index.snapshot import Snapshot
from moverank.text_index.lexical import Lexical
from moverank.text_index.settings import Settings
from moverank.text_index.stored_encoder import WORDS


@dataclass(frozen=True, eq=False)
class Held:
    """Settings and lexical index of one state.

    Attributes
    ----------
    attachment : Attachment
        What they were made from.
    settings : Settings
        The settings.
    lexical : Lexical or None
        The lexical index, if there is one.
    """

    attachment: Attachment
    settings: Settings
    lexical: Lexical | None

    @property
    def other_files(self) -> dict[str, AttachedFile]:
        """Attached files that are not of the lexical index."""
        return {name: file for name, file in self.attachment.files.items() if name == WORDS}


class Holder:
    """Keeps what belongs to the latest state, as it takes time to make."""

    def __init__(self) -> None:
        self._held: Held | None = None

    def of(self, snapshot: Snapshot) -> Held:
        """What belongs to a state; IndexFormatError if that is damaged."""
        attachment, held = snapshot.attachment, self._held
        if attachment is None:
            raise IndexFormatError("the index was replaced by one of vectors without texts; open it by Index.open")
        if held is None or held.attachment is not attachment:
            settings = Settings.from_json(attachment.facts)
            lexical = None if settings.lexical is None else Lexical(settings.lexical, lists_in(attachment.files))
            held = self._held = Held(attachment, settings, lexical)
        return held

    def keep(self, snapshot: Snapshot, settings: Settings, lexical: Lexical | None) -> None:
        """Keep what was made for a state that has just been committed."""
        attachment = snapshot.attachment
        assert attachment is not None, "a text index always has an attachment"
        if lexical is not None:
            lexical.files = lists_in(attachment.files)  # in the index's folder now
        self._held = Held(attachment, settings, lexical)


def lists_in(files: Mapping[str, AttachedFile]) -> dict[str, AttachedFile]:
    """Those of attached files that are of the lexical index."""
    return {name: file for name, file in files.items() if name != WORDS}
