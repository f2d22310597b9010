"""The compiled core. Private: arguments are checked for type and shape only; use the package's functions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

__version__: str

class SequenceError(ValueError):
    """args = (message, index): a sequence that cannot be measured; index is its place in the batch (or -1)."""

class Sinkhorn:
    def __init__(
        self,
        epsilon: float,
        relative: bool,
        tolerance: float,
        max_iterations: int,
        marginal_penalty: float,
        debiased: bool,
    ) -> None: ...

class Measure:
    def __init__(
        self, ground: str, weighting: str, capacity: float, fraction: float, problem: str, sinkhorn: Sinkhorn
    ) -> None: ...
    @property
    def has_pooled_bound(self) -> bool: ...

class TransportSolution:
    @property
    def value(self) -> float: ...
    @property
    def lower(self) -> float: ...
    @property
    def pivots(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def plan(self) -> F64: ...
    @property
    def f(self) -> F64: ...
    @property
    def g(self) -> F64: ...
    @property
    def cost(self) -> F32 | F64: ...
    @property
    def a(self) -> F64: ...
    @property
    def b(self) -> F64: ...
    @property
    def multiplier(self) -> float: ...
    @property
    def unmoved(self) -> float: ...
    @property
    def stuck_sources(self) -> list[int]: ...
    @property
    def reached_targets(self) -> list[int]: ...

class SinkhornSolution:
    @property
    def value(self) -> float: ...
    @property
    def lower(self) -> float: ...
    @property
    def upper(self) -> float: ...
    @property
    def plan_cost(self) -> float: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def iterations(self) -> int: ...
    @property
    def marginal_error(self) -> float: ...
    @property
    def converged(self) -> bool: ...
    @property
    def feasible(self) -> bool: ...
    @property
    def multiplier(self) -> float: ...
    @property
    def plan(self) -> F64: ...
    @property
    def f(self) -> F64: ...
    @property
    def g(self) -> F64: ...

def build_info() -> dict[str, Any]: ...
def first_non_finite_row(tokens: F32) -> int: ...
def weights_fault(weights: F64) -> str: ...
def transport(cost: F32 | F64, a: F64 | None, b: F64 | None, capacity: float, fraction: float) -> TransportSolution: ...
def transport_batch(
    costs: F32 | F64,
    a: F64 | None,
    b: F64 | None,
    capacities: F64,
    fractions: F64,
    plans: bool,
    num_threads: int,
) -> tuple[F64, F64, I64, NDArray[np.bool_], NDArray[np.bool_], F64 | None]: ...
def sinkhorn(
    cost: F32 | F64, a: F64 | None, b: F64 | None, capacity: float, fraction: float, options: Sinkhorn
) -> SinkhornSolution: ...
def sinkhorn_batch(
    costs: F32 | F64,
    a: F64 | None,
    b: F64 | None,
    capacities: F64,
    fractions: F64,
    options: Sinkhorn,
    plans: bool,
    num_threads: int,
) -> tuple[F64, F64, F64, F64, F64, I64, F64, NDArray[np.bool_], NDArray[np.bool_], F64 | None]: ...
def align(
    query: F32,
    query_weights: F64 | None,
    document: F32,
    document_weights: F64 | None,
    measure: Measure,
) -> TransportSolution: ...
def distances(
    query: F32,
    query_weights: F64 | None,
    tokens: NDArray[Any],
    scales: F32 | None,
    offsets: I64,
    weights: F64 | None,
    measure: Measure,
    num_threads: int,
) -> F64: ...
def certified_distances(
    query: F32,
    query_weights: F64 | None,
    tokens: NDArray[Any],
    scales: F32 | None,
    offsets: I64,
    weights: F64 | None,
    measure: Measure,
    num_threads: int,
) -> tuple[F64, F64, F64, I64, F64, NDArray[np.bool_]]: ...
def gradients(
    queries: F64,
    query_offsets: I64,
    query_weights: F64 | None,
    documents: F64,
    document_offsets: I64,
    document_weights: F64 | None,
    measure: Measure,
    num_threads: int,
) -> tuple[F64, F64, F64 | None, F64, F64 | None]: ...

U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]

class PreparedSequences:
    """Sequences prepared for one measure; keeps the arrays alive."""

    def __init__(
        self, tokens: NDArray[Any], scales: F32 | None, offsets: I64, weights: F64 | None, measure: Measure
    ) -> None: ...
    @staticmethod
    def from_arrays(
        tokens: NDArray[Any],
        scales: F32 | None,
        offsets: I64,
        mass: F64,
        inverse_norms: F32 | None,
        max_norm: float,
        measure: Measure,
    ) -> PreparedSequences: ...
    def __len__(self) -> int: ...
    @property
    def arrays(self) -> dict[str, NDArray[Any]]: ...
    @property
    def max_norm(self) -> float: ...
    def add_codes(self, codes: NDArray[Any], scales: F32 | None) -> None: ...
    def take_codes(
        self,
        codes: NDArray[Any],
        scales: F32 | None,
        inverse_norms: F32 | None,
        squares: F32 | None,
        sums: I32 | None,
        rho: F64,
        largest_norm: float,
    ) -> None: ...
    @property
    def code_arrays(self) -> dict[str, NDArray[Any]]: ...
    @property
    def largest_code_norm(self) -> float: ...
    def pooled(self) -> F32: ...
    def clusters(self, per_document: int, num_threads: int) -> tuple[F32, F64, I64]: ...

class PreparedBags:
    """Bags of words prepared for one measure; keeps the arrays alive."""

    def __init__(
        self, vectors: F32, words: U32, offsets: I64, counts: F32 | None, measure: Measure, known: U32
    ) -> None: ...
    @staticmethod
    def from_arrays(
        vectors: F32,
        words: U32,
        offsets: I64,
        counts: F32 | None,
        totals: F64,
        first_word: int,
        measure: Measure,
    ) -> PreparedBags: ...
    @staticmethod
    def of_costs(
        costs: NDArray[Any], words: U32, offsets: I64, counts: F64 | None, measure: Measure, known: U32
    ) -> PreparedBags: ...
    @staticmethod
    def from_cost_arrays(
        costs: NDArray[Any],
        words: U32,
        offsets: I64,
        counts: F64 | None,
        totals: F64,
        first_word: int,
        measure: Measure,
    ) -> PreparedBags: ...
    def __len__(self) -> int: ...
    @property
    def arrays(self) -> dict[str, NDArray[Any]]: ...
    @property
    def new_rows(self) -> U32: ...
    @property
    def norms(self) -> F64: ...

class StopFlag:
    """Ends searches that were given it, at the latest 20 ms after it was set."""

    def __init__(self) -> None: ...
    def set(self) -> None: ...

class Corpus:
    """Prepared sequences that are searched as one."""

    def __init__(self, parts: list[PreparedSequences]) -> None: ...
    def __len__(self) -> int: ...
    def pool_query(self, query: F32, query_weights: F64 | None) -> F32: ...
    def pooled_bounds(
        self, query: F32, query_weights: F64 | None, squared_distances: F32, max_pooled_norm: float
    ) -> F64: ...
    def search(
        self,
        query: F32,
        query_weights: F64 | None,
        k: int,
        radius: float,
        slack: float,
        seconds: float | None,
        stop: StopFlag | None,
        num_threads: int,
    ) -> TopKSearch: ...

class BagCorpus:
    """Prepared bags that are searched as one."""

    def __init__(self, parts: list[PreparedBags]) -> None: ...
    def __len__(self) -> int: ...
    def search(
        self,
        query: F32 | U32,
        query_weights: F64 | None,
        k: int,
        radius: float,
        slack: float,
        seconds: float | None,
        stop: StopFlag | None,
        num_threads: int,
    ) -> TopKSearch: ...

class TopKSearch:
    def seed(self, positions: I64, num_threads: int) -> None: ...
    def lower_bounds(self, positions: I64, num_threads: int) -> F64: ...
    def one_sided_bounds(self, positions: I64, num_threads: int) -> F64: ...
    @property
    def has_one_sided_bounds(self) -> bool: ...
    def examine(self, positions: I64, bounds: F64, num_threads: int) -> None: ...
    @property
    def cutoff(self) -> float: ...
    @property
    def floor(self) -> float: ...
    @property
    def timed_out(self) -> bool: ...
    @property
    def counts(self) -> dict[str, Any]: ...
    def hits(self) -> tuple[I64, F64]: ...

def pairwise(
    rows: PreparedSequences,
    columns: PreparedSequences,
    mirrored: bool,
    zero_diagonal: bool,
    progress: Callable[[int, int], object] | None,
    num_threads: int,
) -> F64: ...
def pairwise_bags(
    rows: BagCorpus,
    columns: BagCorpus,
    mirrored: bool,
    zero_diagonal: bool,
    progress: Callable[[int, int], object] | None,
    num_threads: int,
) -> F64: ...
def paired_distances(
    queries: PreparedSequences,
    documents: PreparedSequences,
    progress: Callable[[int, int], object] | None,
    num_threads: int,
) -> F64: ...
def paired_bag_distances(
    queries: BagCorpus, documents: BagCorpus, progress: Callable[[int, int], object] | None, num_threads: int
) -> F64: ...
def bag_distances(query: F32 | U32, query_weights: F64 | None, corpus: BagCorpus, num_threads: int) -> F64: ...
def bag_certified_distances(
    query: F32 | U32, query_weights: F64 | None, corpus: BagCorpus, num_threads: int
) -> tuple[F64, F64, F64, I64, F64, NDArray[np.bool_]]: ...
