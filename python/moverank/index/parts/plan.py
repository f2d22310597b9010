"""The arguments of an index build, checked before any work is done."""

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
    """Options of an index that do not depend on its documents. Made by `Plan.of`.

    Attributes
    ----------
    measure : Measure
        The distance that searches will compute.
    costs : Costs or None
        Given costs between bins; None if costs are computed from vectors.
    options : Options
        How documents are stored and prefiltered.
    space : AttachedSpace or None
        The space of the documents.
    encoder : EncoderIdentity or None
        Identity of the documents' encoder.
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
            If an argument is malformed, or arguments contradict each other; the message names the argument.
        """
        table = None if costs is None else Costs.of(costs)
        chosen = Measure.of("wrd" if measure is None else measure) if table is None else chosen_measure(measure)
        attached = None if space is None else AttachedSpace.of(space)
        identity = None if encoder is None else EncoderIdentity.of(encoder)
        for name, value in (("space", space), ("encoder", encoder)):
            if table is not None and value is not None:
                raise ValueError(f"{name}: expected none with given costs, as documents then have no vectors")
        return cls(chosen, table, Options(**options), attached, identity)

    def documents(self, docs: Documents) -> Sequences | Bags | Histograms:
        """Check documents; TypeError or ValueError if they are malformed."""
        # If costs are required but missing, documents are not checked as histograms: `setup` then reports the costs.
        has_costs = self.costs is not None or not self.measure._cost.is_given
        return as_documents(docs, self.measure if has_costs else None)

    def setup(self, docs: Sequences | Bags | Histograms, ids: Ids | None) -> Setup:
        """Make the setup of an index whose first documents are these, as returned by `documents`.

        Raises
        ------
        DimensionError
            If the dimension of the encoder's vectors is not that of the documents.
        TypeError, ValueError
            If the plan does not suit the documents; the message names the argument.
        """
        id_kind = "int" if ids is None else kind_of_ids(listed_ids(ids))
        setup = kind_for(docs).setup(docs, self.measure, self.options, id_kind, self.costs)
        self._require_encoder_fits(setup.dim)
        return setup

    def _require_encoder_fits(self, dim: int) -> None:
        """Refuse an encoder that cannot have encoded the documents. A space may have changed their dimension."""
        if self.encoder is None:
            return
        if self.space is None and self.encoder.dim not in (None, dim):
            raise DimensionError(
                f"encoder: expected vectors of dimension {dim}, as in the documents, got dimension {self.encoder.dim}"
            )
        if self.space is not None and "space" in self.encoder.options:
            raise ValueError("encoder: expected an encoder without a space, as the index moves queries into its space")
