"""Numbers for Prometheus: requests, where their time goes, caches, indexes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from moverank.serve.catalog import Catalog
from moverank.serve.engine import Engine
from moverank.serve.errors import Refused

#: Variable of prometheus_client: the folder in which several processes keep their numbers.
SEVERAL = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What is counted, in a registry of its own, so that several services in one process do not mix.

    Parameters
    ----------
    engine : Engine
        Its cache and its queue are shown.
    catalog : Catalog
        Its indexes are shown.
    """

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self._registry}
        self.requests = Counter("moverank_requests", "Requests, by path and status.", ["path", "status"], **own)
        self.seconds = Histogram(
            "moverank_request_seconds", "Time of requests.", ["path"], buckets=_SECONDS, **own
        )  # fmt: skip
        self.stages = Histogram(
            "moverank_stage_seconds", "Time of requests by stage.", ["stage"], buckets=_SECONDS, **own
        )  # fmt: skip
        self.documents = Counter("moverank_documents", "Documents of reranking requests.", **own)
        in_hand = Gauge("moverank_requests_in_hand", "Requests in hand.", multiprocess_mode="livesum", **own)
        engine.watch(in_hand.set)
        self._state = _State(engine, catalog)
        self._registry.register(self._state)

    def shown(self) -> bytes:
        """All numbers in the text format of Prometheus; those of all worker processes where there are several."""
        if SEVERAL not in os.environ:
            return bytes(generate_latest(self._registry))
        together = CollectorRegistry()
        MultiProcessCollector(together)
        together.register(self._state)
        return bytes(generate_latest(together))


class _State:
    """Numbers that are read when somebody asks."""

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine, self._catalog = engine, catalog

    def collect(self) -> Iterable[Any]:
        """Numbers of this process."""
        cache = self._engine.cache
        for name, what, value in (
            ("moverank_cache_hits", "Documents found in the cache of encoded documents.", cache.hits),
            ("moverank_cache_misses", "Documents that had to be encoded.", cache.misses),
            ("moverank_cache_bytes", "Size of the cache.", cache.nbytes),
        ):
            yield GaugeMetricFamily(name, what, value=value)
        entries = GaugeMetricFamily("moverank_index_entries", "Documents, or passages, of an index.", labels=["index"])
        for served in self._catalog:
            with suppress(Refused):  # an index that cannot be read has no number
                entries.add_metric([served.name], served.n_entries())
        yield entries
