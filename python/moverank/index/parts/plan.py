"""What whoever builds an index says about it, checked before any work is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from moverank.errors import DimensionError
from moverank.index.parts.attached_space import AttachedSpace
from moverank.index.parts.ids import Ids, kind_of_ids, listed_ids
from moverank.index.parts.intake import Documents, as_documents
from moverank.index.parts.kinds import kind_for
from moverank.index.parts.setup import Options, Setup
from moverank.measures.given import Costs, chosen_measure
from moverank.measures.measure import Measure
from moverank.vectors.bags import Bags
from moverank.vectors.encoder_identity import EncoderIdentity
from moverank.vectors.histograms import Histograms
from moverank.vectors.sequences import Sequences

if TYPE_CHECKING:
    from moverank.encoders import Encoder
    from moverank.spaces import Space


@dataclass(frozen=True)
class Plan:
    """What an index is to be, as far as it can be said without its documents. Made by `Plan.of`.

    Attributes
    ----------
    measure : Measure
        What searches will compute.
    costs : Costs or None
        What moving between bins costs, where it is given.
    options : Options
        How documents are kept.
    space : AttachedSpace or None
        The space in which documents are.
    encoder : EncoderIdentity or None
        What made vectors of the documents' texts.
    """

    measure: Measure
    costs: Costs | None
    options: Options
    space: AttachedSpace | None
    encoder: EncoderIdentity | None

    @classmethod
    def of(
        cls,
        measure: str | Measure | None,
        *,
        costs: ArrayLike | None,
        space: Space | None,
        encoder: Encoder | EncoderIdentity | None,
        **options: Any,
    ) -> Plan:
        """Check the arguments of `Index.build`.

        Raises
        ------
        TypeError, ValueError
            If one is malformed, or some do not go together; the message names the argument.
        """
        table = None if costs is None else Costs.of(costs)
        chosen = Measure.of("wrd" if measure is None else measure) if table is None else chosen_measure(measure)
        attached = None if space is None else AttachedSpace.of(space)
        identity = None if encoder is None else EncoderIdentity.of(encoder)
        for name, value in (("space", space), ("encoder", encoder)):
            if table is not None and value is not None:
                raise ValueError(f"{name}: belongs to vectors, but costs are given")
        return cls(chosen, table, Options(**options), attached, identity)

    def documents(self, docs: Documents) -> Sequences | Bags | Histograms:
        """Check documents; TypeError or ValueError if they are malformed."""
        # Whoever asks for given costs and brings none is told so, and not that these are no histograms.
        is_whole = self.costs is not None or not self.measure._cost.is_given
        return as_documents(docs, self.measure if is_whole else None)

    def setup(self, docs: Sequences | Bags | Histograms, ids: Ids | None) -> Setup:
        """What an index is whose first documents are these, as `documents` returns them.

        Raises
        ------
        DimensionError
            If the encoder makes vectors of another dimension.
        TypeError, ValueError
            If the plan does not go with the documents; the message names the argument.
        """
        id_kind = "int" if ids is None else kind_of_ids(listed_ids(ids))
        setup = kind_for(docs).setup(docs, self.measure, self.options, id_kind, self.costs)
        self._require_encoder_fits(setup.dim)
        return setup

    def _require_encoder_fits(self, dim: int) -> None:
        """Refuse an encoder that cannot have made the documents; a space may change their dimension."""
        if self.encoder is None:
            return
        if self.space is None and self.encoder.dim not in (None, dim):
            raise DimensionError(f"encoder: makes vectors of dimension {self.encoder.dim}, the documents have {dim}")
        if self.space is not None and "space" in self.encoder.options:
            raise ValueError("encoder: the index moves queries into its space itself; give the encoder without a space")
