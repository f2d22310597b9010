"""How the time for one ranking is divided between encoding and comparing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from moverank._support.validate import positive_number

#: Share of the time that may go by before no more texts are encoded.
FOR_ENCODING = 0.8
#: Share that is left for comparing what was encoded, even if encoding took longer.
FOR_COMPARING = 0.1


@dataclass(frozen=True)
class Deadline:
    """Some seconds from now on; None for as long as it takes.

    Encoding stops before time is over, as what was encoded but not compared would be of no use.
    """

    seconds: float | None
    began: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        if self.seconds is not None:
            positive_number(self.seconds, "timeout")

    @property
    def of_encoding(self) -> float | None:
        """When encoding has to end, by `time.perf_counter`."""
        return None if self.seconds is None else self.began + FOR_ENCODING * self.seconds

    def left(self) -> float | None:
        """Seconds that a comparison may take from now on."""
        if self.seconds is None:
            return None
        return max(self.began + self.seconds - time.perf_counter(), FOR_COMPARING * self.seconds)
