"""Calls that end in an error, or before they are done."""

import inspect
import signal
from contextlib import suppress

import numpy as np
from scipy import sparse

import moverank as mr
from public_calls.inputs import DIM, documents, query, random


def refusals(folder):
    docs, asked = documents(), query()
    index = mr.Index.build(docs, "wrd")
    index.save(folder / "index")
    index.save(folder / "damaged")
    next((folder / "damaged").glob("*.seg")).write_bytes(b"none")
    (folder / "nonsense").mkdir()
    (folder / "nonsense" / "manifest.json").write_text('{"moverank": []}')
    closed = mr.Index.open(folder / "index")
    closed.close()
    broken = mr.Sequences.from_flat(np.vstack([docs.tokens, 0 * asked[:1]]), [*docs.offsets, len(docs.tokens) + 1])
    read_only = mr.Index.open(folder / "index")
    writer = mr.Index.open(folder / "index", writable=True)

    def stops(*done):
        raise RuntimeError("no more")

    refused = [
        (ValueError, lambda: mr.distances(asked[:, :3], docs)),
        (ValueError, lambda: mr.distances(asked, broken, "wrd", num_threads=3)),
        (ValueError, lambda: mr.distances(asked * np.nan, docs)),
        (ValueError, lambda: mr.distances(asked, [asked, asked[:0]])),
        (TypeError, lambda: mr.distances(asked, docs, num_threads=1.5)),
        (TypeError, lambda: mr.wrd(asked, [["a"]])),
        (ValueError, lambda: mr.wmd(asked, asked, [1, 1, 1, 1, -1])),
        (ValueError, lambda: mr.pairwise([asked, 0 * asked], docs)),
        (ValueError, lambda: mr.gradients(asked, 0 * asked)),
        (ValueError, lambda: mr.align(asked, 0 * asked)),
        (ValueError, lambda: mr.transport([[np.nan]])),
        (ValueError, lambda: mr.transport(np.ones((2, 2)), [1, -1], [1, 1])),
        (ValueError, lambda: mr.transport(sparse.csr_array([[np.nan]]))),
        (mr.InfeasibleError, lambda: mr.transport(sparse.csr_array((2, 2)))),
        (ValueError, lambda: mr.transport_batch(np.ones((2, 2, 2)), epsilon=-1)),
        (ValueError, lambda: mr.Measure("none", "uniform")),
        (ValueError, lambda: mr.Sequences([])),
        (ValueError, lambda: mr.Bags(asked, [[99]])),
        (ValueError, lambda: mr.Index.build(broken)),
        (ValueError, lambda: mr.Index.build(docs, prefilter="IVV9")),
        (mr.DuplicateIdError, lambda: mr.Index.build(docs[:2], ids=[1, 1])),
        (mr.DimensionError, lambda: index.search(asked[:, :2])),
        (mr.UnknownIdError, lambda: index.rerank(asked, [12345])),
        (ValueError, lambda: index.search(asked, where="no such column = 1")),
        (ValueError, lambda: index.search_batch([asked, 0 * asked], 2)),
        (RuntimeError, lambda: index.search_batch([asked] * 4, 2, num_threads=2, progress=stops)),
        (mr.DuplicateIdError, lambda: index.add(docs[:1], ids=[0])),
        (mr.UnknownIdError, lambda: index.remove([12345])),
        (mr.IndexNotFoundError, lambda: mr.Index.open(folder / "none")),
        (mr.IndexFormatError, lambda: mr.Index.open(folder / "damaged")),
        (mr.IndexFormatError, lambda: mr.Index.open(folder / "nonsense")),
        (mr.MeasureMismatchError, lambda: mr.Index.open(folder / "index", measure="wmd")),
        (mr.IndexLockedError, lambda: mr.Index.open(folder / "index", writable=True)),
        (mr.ReadOnlyIndexError, lambda: read_only.remove([1])),
        (mr.DuplicateIdError, lambda: writer.add(docs[:1], ids=[0])),
        (mr.IndexExistsError, lambda: index.save(folder / "index")),
        (mr.IndexClosedError, lambda: closed.search(asked)),
    ]

    def refuse():
        for kind, call in refused:
            try:
                call()
            except kind:
                continue
            raise AssertionError(f"not refused: {inspect.getsource(call)}")

    return {"errors": refuse}


class _Cancelled(Exception):
    pass


def cut_short(folder):
    rng = random()
    long = mr.Sequences.from_flat(rng.normal(size=(2000 * 120, DIM)).astype(np.float32), range(0, 2001 * 120, 120))
    index = mr.Index.build(long, "wmd", prefilter=None, num_threads=2)
    costs = rng.random((1000, 96, 96)).astype(np.float32)
    turns = iter(range(10**9))
    solving = [
        lambda: mr.distances(long[0], long, "wmd", num_threads=2),
        lambda: index.search(long[0], 500),
        lambda: mr.pairwise(long, long, "wmd", num_threads=2),
        lambda: mr.transport_batch(costs, num_threads=2),
    ]

    def ring(number, frame):
        raise _Cancelled

    def cancelled():
        """Stop one of them from a handler of signals, as Ctrl-C does."""
        before = signal.signal(signal.SIGALRM, ring)
        with suppress(_Cancelled):
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            solving[next(turns) % len(solving)]()
            raise AssertionError("it ended before it could be cancelled")
        signal.signal(signal.SIGALRM, before)

    def late():
        return index.search(long[0], 50, timeout=1e-9 * 10 ** (next(turns) % 7)).certificate

    return {"cancelled calls": cancelled, "searches with a timeout": late}


KINDS = (refusals, cut_short)
