"""A search of texts without its query: its options, checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from moverank._support.validate import positive_number, real_number, whole_number
from moverank.encoders.encoded import Encoder
from moverank.index.parts.filters import Condition
from moverank.presets import retrieval
from moverank.ranking.calibration import Calibration
from moverank.ranking.fusion import Fusing, Fusion, fusion_of
from moverank.text_index.settings import Settings


@dataclass(frozen=True)
class Asked:
    """A search without its query; see `TextIndex.search`."""

    k: int
    candidates: int | None
    where: Condition | None
    fusion: Fusing
    min_similarity: float
    calibration: Calibration | None
    min_probability: float
    timeout: float | None
    num_threads: int

    @classmethod
    def of(
        cls,
        settings: Settings,
        encoder: Encoder,
        k: int,
        *,
        where: Condition | None = None,
        candidates: int | None = None,
        fusion: Fusing | float | None = None,
        min_similarity: float = -np.inf,
        min_probability: float = 0.0,
        timeout: float | None = None,
        num_threads: int = 0,
        has_scores: bool = False,
    ) -> Asked:
        """Check options, and fill in what an index of these settings has for a default; errors name the argument.

        `has_scores` is whether the scores of another first stage take the place of lexical ones.
        """
        whole_number(k, "k", least=1)
        if candidates is not None:
            whole_number(candidates, "candidates", least=1)
        chosen = fusing(settings, encoder, fusion)
        if fusion is not None and chosen.weight < 1.0 and settings.lexical is None and not has_scores:
            raise ValueError(f"fusion: expected none or 1, as this index has no lexical retrieval, got {fusion!r}")
        if min_similarity != -np.inf and not np.isfinite(real_number(min_similarity, "min_similarity")):
            raise ValueError(f"min_similarity must be finite, got {min_similarity!r}")
        if timeout is not None:
            positive_number(timeout, "timeout")
        calibration = settings.calibration_for(options_of(candidates, chosen))
        if real_number(min_probability, "min_probability") and calibration is None:
            raise ValueError("min_probability: the index is not calibrated for such searches, see TextIndex.calibrate")
        return cls(k, candidates, where, chosen, min_similarity, calibration, min_probability, timeout, num_threads)


def fusing(settings: Settings, encoder: Encoder, given: Fusing | float | None) -> Fusing:
    """A fusion that is given, or the default of an index."""
    if given is not None:
        return fusion_of(given)
    own = settings.fusion
    return Fusion(retrieval(encoder).fusion if own is None else own)


def options_of(candidates: int | None, fusion: Fusing) -> dict[str, Any]:
    """Options that scores depend on, as JSON values."""
    return {"candidates": candidates, "fusion": asdict(fusion)}
