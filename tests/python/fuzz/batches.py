"""What takes arrays: ragged batches, bags, cost matrices, of any type, shape and content.

Whatever is accepted gives finite answers, which do not depend on how they are asked for.
"""

import warnings

import numpy as np

import moverank as mr
from fuzz.octets import Octets
from moverank._support import storage, validate
from moverank.measures import distances
from moverank.solvers import transport
from moverank.vectors import bags, sequences

TRACED = (storage, validate, bags, distances, sequences, transport)

#: atheris keeps what comparisons give, for ever; here these are arrays.
TRACES_COMPARISONS = False

TYPES = ["<f4", "<f8", ">f4", "<f2", "i1", "<i4", "<i8", "<u4", "?", "<c8", "O", "<U2", "V2"]
NUMBERS = [*range(8), *range(8), *range(8), -1, 0.5, 1e-30, 1e15]
#: What float32 may take of a distance without a word: both sides lose a 16th at the most, and squares twice that.
LOST = 0.3
MEASURES = [
    mr.wmd,
    mr.wrd,
    mr.wrd.replace(capacity=4),
    mr.maxsim,
    mr.rwmd,
    mr.wmd.replace(fraction=0.5),
    mr.Measure("dot", "uniform", capacity=1.5),
    mr.Measure("sqeuclidean", "given"),
]


def check(octets):
    """Whether anything was computed."""
    data = Octets(octets)
    what = data.one_of([_sequences, _bags, _transport, _transport_batch])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", mr.PrecisionWarning)  # which is told, and no find
        return what(data, data.one_of(MEASURES))


def _sequences(data, measure):
    dtype = data.one_of(["float32", "float32", "float16", "bfloat16", "int8", "int4", "int2"])
    dim, lengths = _lengths(data)
    tokens, offsets = _array(data, sum(lengths), dim), _offsets(data, lengths)
    docs = _attempt(lambda: mr.Sequences.from_flat(tokens, offsets, _weights(data, sum(lengths))).astype(dtype))
    query = _query(data, dim)
    if docs is None or query is None:
        return False
    values, told = _told(lambda: mr.distances(query, docs, measure))
    index = _attempt(lambda: mr.Index.build(docs, measure))
    if values is None or index is None:
        return False
    assert np.isfinite(values).all(), values
    assert (mr.pairwise(query, docs, measure) == values).all()
    known = mr.certified_distances(query, docs, measure)
    assert measure.problem == "relaxed" or ((known.lower <= values) & (values <= known.upper)).all(), known
    hits, told_of_hits = _told(lambda: index.search(query, 2))
    assert hits.certificate.exact
    if query._rest is None and docs._rest is None:
        assert hits.distances.tolist() == sorted(values)[:2], (hits.distances, values)
    elif not told and not told_of_hits:
        # An index has an origin of its own, and where that costs much of a distance it says so.
        zero = 1e-12 * _largest_cost(query, docs, measure)
        assert np.allclose(hits.distances, sorted(values)[:2], rtol=LOST, atol=zero), (hits.distances, values)
    return True


def _largest_cost(query, docs, measure):
    reach = sum(np.linalg.norm(np.asarray(one, np.float64), axis=1).max() for side in (query, docs) for one in side)
    return reach**2 if measure.ground == "sqeuclidean" else reach


def _bags(data, measure):
    dim, lengths = _lengths(data)
    n_words = 1 + data.up_to(4)
    table, offsets = _array(data, n_words, dim), _offsets(data, lengths)
    way = data.up_to(7)
    if way == 0:
        rows = _array(data, sum(lengths))
    else:
        last = n_words - 1 if way > 1 else n_words  # the latter is not in the table
        rows = np.array([data.up_to(last) for _ in range(sum(lengths))])
    counts = _weights(data, sum(lengths))
    made = _attempt(lambda: mr.Bags.from_flat(table, rows, offsets, counts))
    query = _query(data, dim)
    if made is None or query is None:
        return False
    index = _attempt(lambda: mr.Index.build(made, measure))
    hits, told_of_hits = (None, []) if index is None else _told(lambda: index.search(query, 2))
    if hits is None:
        return False
    assert hits.certificate.exact
    values, told = _told(lambda: mr.distances(query, made.to_sequences(measure.weighting), measure))
    assert values is not None
    if not told and not told_of_hits:
        close = np.allclose(hits.distances, np.sort(values)[:2], rtol=1e-5, atol=1e-5 * np.abs(values).max())
        assert close, (hits, values)
    return True


def _transport(data, _):
    epsilon = data.one_of([None, None, 0.1, mr.Sinkhorn(0.01, tolerance=1e-7)])
    limits = {"capacity": data.one_of([1, 1, 1.5, np.inf]), "fraction": data.one_of([1, 1, 0.5])}
    n, m = 1 + data.up_to(4), 1 + data.up_to(4)
    cost, a, b = _array(data, n, m), _weights(data, n), _weights(data, m)
    found = _attempt(lambda: mr.transport(cost, a, b, **limits, epsilon=epsilon))
    if found is None:
        return False
    assert np.isfinite(found.value)
    assert (found.plan >= 0).all()
    if epsilon is None:
        assert found.status == "optimal"
        assert np.isclose(found.plan.sum(), limits["fraction"])
        paid = np.where(found.plan > 0, np.asarray(cost, np.float64), 0.0)  # nothing moves where it is forbidden
        assert abs(float((found.plan * paid).sum()) - found.value) <= 1e-9 * np.abs(paid).max()
        if limits["fraction"] == 1:
            rows = np.ones(len(cost)) if a is None else np.asarray(a, np.float64) / np.max(a)
            assert np.allclose(found.plan.sum(axis=1), rows / rows.sum(), atol=1e-10)
    return True


def _transport_batch(data, _):
    count, n, m = 1 + data.up_to(2), 1 + data.up_to(3), 1 + data.up_to(3)
    costs = _array(data, count, n, m)
    a = _array(data, count, n) if data.up_to(3) == 3 else _weights(data, n)
    b = _array(data, count, m) if data.up_to(3) == 3 else _weights(data, m)
    found = _attempt(lambda: mr.transport_batch(costs, a, b))
    if found is None:
        return False
    for p, cost in enumerate(costs):
        own = [mass[p] if np.ndim(mass) == 2 else mass for mass in (a, b)]
        assert mr.transport(cost, *own).value == found.values[p]
    return True


def _lengths(data):
    """A dimension, and the lengths of a few sequences."""
    return 1 + data.up_to(4), [1 + data.up_to(2) for _ in range(1 + data.up_to(3))]


def _offsets(data, lengths):
    way = data.up_to(7)
    if way == 0:
        return _array(data, len(lengths) + 1)
    if way == 1:
        return np.array([0, *(data.up_to(sum(lengths)) for _ in lengths)])  # places in any order
    return np.cumsum([0, *lengths])


def _query(data, dim):
    tokens = _array(data, 1 + data.up_to(3), dim)
    return _attempt(lambda: mr.Sequences.from_flat(tokens, [0, len(tokens)], _weights(data, len(tokens))))


def _weights(data, n):
    return _array(data, n) if data.up_to(2) == 2 else None


def _array(data, *shape):
    """Any array: of odd types, shapes, strides and orders, read-only, empty."""
    # Mostly what is right, or nothing behind the first check would ever be reached.
    kind = data.one_of(TYPES) if data.up_to(15) == 15 else data.one_of(["<f4", "<f8"])
    if data.up_to(15) == 15:
        shape = tuple(data.up_to(4) for _ in range(data.up_to(3)))
    count = int(np.prod(shape))
    if kind == "O":
        filled = np.array([data.one_of([None, 1, "x", 2.5]) for _ in range(count)], dtype=object)
    elif kind == "<U2":
        filled = np.array([data.one_of(["", "1", "x", "é"]) for _ in range(count)], dtype=kind)
    elif kind == "V2" or data.up_to(15) == 15:
        filled = np.frombuffer(data.take(count * np.dtype(kind).itemsize), dtype=kind)
    else:
        with np.errstate(all="ignore"):
            filled = np.array([data.one_of(NUMBERS) for _ in range(count)], np.float64).astype(kind)
    made = filled.reshape(shape)
    way = data.up_to(7)
    if way == 1 and shape:
        made = made[::-1]
    elif way == 2:
        made = np.asfortranarray(made)
    elif way == 3 and shape:
        made = np.repeat(made, 2, axis=0)[::2]
    elif way == 4 and count:
        made = np.broadcast_to(made, (2, *shape))[0]
    return made


def _told(call):
    """An answer as below, and the warnings that float32 dropped digits which matter to it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", mr.PrecisionWarning)
        found = _attempt(call)
    return found, [warning for warning in told if warning.category is mr.PrecisionWarning]


def _attempt(call):
    """An answer, or None after a refusal of a right type with some words in it."""
    try:
        return call()
    except (ValueError, TypeError) as refusal:
        words = str(refusal)
    assert words
    return None
