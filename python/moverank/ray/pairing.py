"""Nearest documents of one index for each document of another, by the actors of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from moverank._support.optional import optional
from moverank._support.validate import whole_number
from moverank.index.index import Index, PathLike
from moverank.index.snapshot import Snapshot
from moverank.index.tiles import Tile, radius_of, require_comparable
from moverank.ray.workers import Concurrency, mapped, started

if TYPE_CHECKING:
    from ray.data import Dataset


def pairwise(
    folder: PathLike,
    other: PathLike | None = None,
    *,
    k: int | None = None,
    radius: float | None = None,
    batch_size: int = 256,
    num_cpus: float = 1,
    concurrency: Concurrency | None = None,
    ray_remote_args: Mapping[str, Any] | None = None,
) -> Dataset:
    """Find the nearest documents of one index for each document of another, exactly.

    Each actor takes some documents of the first index as queries, and searches the second, whose files it maps into
    memory; an index of more than a gigabyte is gone through in blocks. Distances that bounds exclude are not computed,
    and those of all pairs are never in memory.

    Parameters
    ----------
    folder : path
        Folder of the index whose documents are the queries: all of their mass moves.
    other : path, optional
        Folder of the index whose documents are found, of the same measure and encoder. By default the first one;
        where both are the same, no document is paired with itself.
    k : int, optional
        How many documents per query.
    radius : float, optional
        Largest distance. At least one of `k` and `radius` is required; with both, the k nearest within the radius.
    batch_size : int, default 256
        Documents that are queries at a time.
    num_cpus, concurrency, ray_remote_args
        As in `encode`. All nodes open the folders by these paths.

    Returns
    -------
    ray.data.Dataset
        Columns "query" and "id", the ids of two documents (or passages), and "distance": the nearest first for each
        query, equal ones in the order of their ids. Nothing is computed before it is used; the indexes may not change
        meanwhile.

    Raises
    ------
    RuntimeError
        If Ray has not been started. When the dataset is used: if an index has changed.
    IndexNotFoundError, IndexFormatError, IndexIncompleteError
        If there is no index in a folder, or not a whole one.
    MeasureMismatchError, EncoderMismatchError, ValueError
        If the documents of the two indexes cannot be compared, or an argument is malformed.
    """
    data = started()
    limit = radius_of(k, radius)
    whole_number(batch_size, "batch_size", least=1)
    folders = [str(Path(path).absolute()) for path in (folder, folder if other is None else other)]
    states = [_state(path) for path in folders]
    require_comparable(states[0][0], states[1][0])
    n_queries = len(states[0][0])
    # Blocks, and not `range`: its tasks would wait for a CPU where actors have all of them.
    pa = optional("pyarrow", "ray")
    starts = range(0, max(n_queries, 1), batch_size)
    blocks = [pa.table({"place": np.arange(first, min(first + batch_size, n_queries))}) for first in starts]
    arguments = {"folders": folders, "generations": [own for _, own in states], "k": k, "radius": limit}
    return mapped(
        data.from_arrow(blocks), Pair, arguments, batch_size=batch_size, num_cpus=num_cpus, concurrency=concurrency,
        ray_remote_args=ray_remote_args,
    )  # fmt: skip


class Pair:
    """Finds the nearest documents of batches of documents in an actor; see `pairwise`."""

    def __init__(
        self, folders: list[str], generations: list[int], k: int | None, radius: float, num_threads: int
    ) -> None:
        states = [_state(folder) for folder in dict.fromkeys(folders)]
        for folder, (_, found), expected in zip(folders, [states[0], states[-1]], generations, strict=True):
            if found != expected:
                raise RuntimeError(f"{folder}: the index has changed since pairwise was called; call it again")
        self._queries = states[0][0]
        self._tile = Tile(states[0][0], states[-1][0], k, radius, num_threads)
        self._kinds = [own.setup.ids for own, _ in (states[0], states[-1])]

    def __call__(self, table: Any) -> Any:
        """The pairs of some queries, which are given by their places."""
        pa = optional("pyarrow", "ray")
        queries, ids, distances = self._tile.pairs(table.column("place").to_numpy())
        kinds = [pa.int64() if kind == "int" else pa.string() for kind in self._kinds]
        columns = {"query": pa.array(queries, kinds[0]), "id": pa.array(ids, kinds[1]), "distance": pa.array(distances)}
        return pa.table(columns)


def _state(folder: str) -> tuple[Snapshot, int]:
    """The latest state of an index, and its number."""
    with Index.open(folder) as index:
        store: Any = index._keeper
        return index._snapshot, store.manifest.generation
