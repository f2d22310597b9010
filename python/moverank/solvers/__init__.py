"""A cost matrix and two sides of mass in, a plan and a certificate out: exact, partial, unbalanced, entropic.

Read `transport` first. Nothing here knows about vectors.
"""

from moverank.solvers.sinkhorn import Sinkhorn, SinkhornBatch, SinkhornResult
from moverank.solvers.transport import TransportBatch, TransportResult, transport_batch

__all__ = ["Sinkhorn", "SinkhornBatch", "SinkhornResult", "TransportBatch", "TransportResult", "transport_batch"]
