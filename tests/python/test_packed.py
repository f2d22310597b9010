"""Tokens of 4 and 2 bits per component, against their definition in NumPy."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import moverank as mr
from damaged import change, overwrite
from moverank.readers import Batch, read_npy

PACKED = ["int4", "int2"]
BITS = {"int4": 4, "int2": 2}
HALF = {"int4": 7.5, "int2": 1.5}


def codes_of(batch):
    """Codes one by one, shape (T, d)."""
    bits = BITS[batch.dtype]
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = batch.tokens[:, :, None] >> shifts & (2**bits - 1)
    return codes.reshape(len(batch.tokens), -1)[:, : batch.dim]


def values_of(batch):
    return (codes_of(batch).astype(np.float32) - np.float32(HALF[batch.dtype])) * batch.scales[:, None]


def random_batch(dim, size=1.0, seed=0):
    rng = np.random.default_rng(seed)
    tokens = size * rng.normal(size=(23, dim)) * rng.lognormal(size=(23, 1))
    return mr.Sequences.from_flat(tokens.astype(np.float32), [0, 3, 4, 20, 23])


@pytest.mark.parametrize("dtype", PACKED)
@pytest.mark.parametrize("dim", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 128, 257])
def test_codes_stand_for_the_numbers_that_their_definition_says(dtype, dim):
    batch = random_batch(dim).astype(dtype)
    assert (batch.dim, batch.tokens.dtype, batch.tokens.shape) == (dim, np.uint8, (23, -(-dim * BITS[dtype] // 8)))
    assert f"dim={dim}, {dtype})" in repr(batch)
    values = values_of(batch)
    np.testing.assert_array_equal(batch.astype("float32").tokens, values)
    np.testing.assert_array_equal(batch[2], values[4:20])
    assert batch[2].dim == dim
    unused = 8 * batch.tokens.shape[1] - dim * BITS[dtype]
    assert not (batch.tokens[:, -1] >> (8 - unused)).any()
    copies = [
        mr.Sequences.from_flat(batch.tokens, batch.offsets, dtype=dtype, scales=batch.scales, dim=dim),
        pickle.loads(pickle.dumps(batch)),
        batch[:2] + batch[2:],
        batch[[0, 1, 2, 3]],
    ]
    for copy in copies:
        assert (copy.dim, copy.dtype) == (dim, dtype)
        np.testing.assert_array_equal(copy.astype("float32").tokens, values)


def test_rows_are_taken_as_full_unless_something_else_is_said():
    tokens = np.array([[0x10, 0x32], [0xFF, 0x0F]], dtype=np.uint8)
    batch = mr.Sequences.from_flat(tokens, [0, 2], dtype="int4", scales=[1, 2])
    assert batch[0].tolist() == [[-7.5, -6.5, -5.5, -4.5], [15, 15, 15, -15]]
    assert mr.Sequences.from_flat(tokens, [0, 2], dtype="int4", scales=[1, 2], dim=3)[0][1].tolist() == [15, 15, 15]
    batch = mr.Sequences.from_flat(np.uint8([[0b11100100, 1]]), [0, 1], dtype="int2", scales=[2], dim=5)
    assert batch[0].tolist() == [[-3, -1, 1, 3, -1]]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"dim": 5}, ValueError, "dim: 5 components of int4 take rows of 3 bytes, got 2"),
        ({"dim": 2}, ValueError, "dim: 2 components of int4 take rows of 1 bytes, got 2"),
        ({"dim": 0}, ValueError, "dim must be at least 1, got 0"),
        ({"dim": 3.0}, TypeError, "dim must be an integer, got 3.0"),
        ({"dtype": "int2", "dim": 4}, ValueError, "dim: 4 components of int2 take rows of 1 bytes, got 2"),
        ({"dtype": "float32", "scales": None, "dim": 2}, ValueError, "dim: only for int4 and int2"),
        ({"scales": None}, ValueError, "scales: required with int8, int4 and int2 tokens"),
        ({"scales": [np.inf]}, ValueError, "sequence 0: token 0 is not finite in int4"),
        ({"scales": [np.nan]}, ValueError, "sequence 0: token 0 is not finite in int4"),
        ({"scales": [-1.0]}, ValueError, "sequence 0: token 0 is not finite in int4"),
        ({"scales": [5e37]}, ValueError, "sequence 0: token 0 is not finite in int4"),
        ({"dtype": "int2", "scales": [2.4e38]}, ValueError, "sequence 0: token 0 is not finite in int2"),
        ({"scales": [1.0, 1.0]}, ValueError, "scales: expected 1, one per token, got 2"),
        ({"tokens": [[1, 2]]}, TypeError, "tokens: expected int4 as uint8, got dtype int64; astype converts a batch"),
        ({"tokens": np.zeros((1, 0), np.uint8)}, ValueError, r"tokens: have no dimensions \(shape \(1, 0\)\)"),
    ],
)
def test_rows_that_are_no_packed_tokens_are_refused(options, kind, message):
    given = {"tokens": np.uint8([[1, 2]]), "offsets": [0, 1], "dtype": "int4", "scales": [1.0], **options}
    with pytest.raises(kind, match=message):
        mr.Sequences.from_flat(**given)


floats = arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(1, 40)), elements=st.floats(-(2.0**100), 2.0**100, width=32)
)


@given(floats, st.sampled_from(PACKED))
def test_numbers_become_the_nearest_of_their_tokens_multiples(tokens, dtype):
    batch = mr.Sequences([tokens]).astype(dtype)
    values, scales = values_of(batch).astype(np.float64), batch.scales[:, None].astype(np.float64)
    inside = np.abs(tokens) <= HALF[dtype] * scales
    assert (np.abs(values - tokens) <= scales * 0.50001 + 1e-44)[inside].all()
    np.testing.assert_array_equal(
        np.abs(values)[~inside], (HALF[dtype] * scales + 0 * values)[~inside].astype(np.float32)
    )
    # Cutting off the largest is worth it: no plain choice of the step leaves less.
    wide = tokens.astype(np.float64)
    step = np.abs(wide).max(axis=1, keepdims=True) / HALF[dtype]
    plain = np.clip(np.floor(wide / np.where(step > 0, step, 1)) + 0.5, -HALF[dtype], HALF[dtype]) * step
    error, plain_error = ((x - wide) ** 2 for x in (values, plain))
    assert (error.sum(axis=1) <= plain_error.sum(axis=1) * 1.001 + 1e-10 * (wide**2).sum(axis=1) + 1e-80).all()


@pytest.mark.parametrize("dtype", PACKED)
@pytest.mark.parametrize("size", [1e-44, 1e-38, 1e-20, 1e18, 1e30])
def test_tokens_of_any_size_are_stored(dtype, size):
    rng = np.random.default_rng(3)
    tokens = (size * rng.normal(size=(50, 32))).astype(np.float32)
    found = mr.Sequences([tokens]).astype(dtype)[0].tokens
    left = ((found.astype(np.float64) - tokens) ** 2).sum() / (tokens.astype(np.float64) ** 2).sum()
    assert left < (0.02 if dtype == "int4" else 0.2) or size < 1e-40
    assert np.isfinite(found).all()


@pytest.mark.parametrize("dtype", PACKED)
def test_the_largest_numbers_are_stored(dtype):
    most = np.finfo(np.float32).max
    found = mr.Sequences([[[0.9 * most, -0.9 * most, 1.0]]]).astype(dtype)[0].tokens
    np.testing.assert_allclose(found[0, :2], [0.9 * most, -0.9 * most], rtol=0.1)


@pytest.mark.parametrize("dtype", PACKED)
@pytest.mark.parametrize(
    "measure",
    ["wrd", "wmd", "maxsim", mr.wrd.replace(capacity=3), mr.Measure("sqeuclidean", "norm"), mr.Measure("dot")],
    ids=str,
)
@pytest.mark.parametrize("dim", [1, 5, 130])
def test_distances_are_those_of_the_numbers_as_float32(dtype, measure, dim):
    batch, query = random_batch(dim, 0.3).astype(dtype), random_batch(dim, seed=1)[0]
    values = values_of(batch)
    plain = mr.Sequences.from_flat(values, batch.offsets)
    np.testing.assert_array_equal(mr.distances(query, batch, measure), mr.distances(query, plain, measure))
    np.testing.assert_array_equal(mr.pairwise(batch, batch, measure), mr.pairwise(plain, plain, measure))
    found, expected = (mr.certified_distances(query, docs, measure) for docs in (batch, plain))
    np.testing.assert_array_equal(found.lower, expected.lower)
    one = mr.align(query, batch[2], measure)
    np.testing.assert_array_equal(one.plan, mr.align(query, plain[2], measure).plan)


@pytest.mark.parametrize("dtype", PACKED)
@pytest.mark.parametrize("prefilter", ["Flat", "tokens", None])
@pytest.mark.parametrize("rescore", [False, True])
def test_an_index_of_odd_dimension_lives_in_a_folder(tmp_path, dtype, prefilter, rescore):
    rng = np.random.default_rng(5)
    docs = mr.Sequences([rng.normal(size=(rng.integers(1, 8), 13)) for _ in range(60)])
    path = tmp_path / "index"
    options = {"dtype": dtype, "prefilter": prefilter, "rescore": rescore}
    batches = [Batch(docs[:25]), Batch(docs[25:40])]
    mr.Index.build_on_disk(path, batches, "wrd", **options).close()
    assert len(mr.Index.build_on_disk(path, batches, "wrd", resume=True, **options)) == 40
    with mr.Index.open(path, writable=True) as index:
        index.add(docs[40:])
        index.remove([3, 41])
        index.compact()
    index = mr.Index.open(path)
    assert index.verify().documents == 58
    stored = docs if rescore else docs.astype(dtype)
    left = np.delete(np.arange(60), [3, 41])
    for query in docs[:4]:
        expected = mr.distances(query, stored[left], "wrd")
        hits = index.search(query, 58)
        np.testing.assert_array_equal(np.sort(hits.ids), left)
        np.testing.assert_array_equal(hits.distances, np.sort(expected))
        first = index.search(query, 1)[0]
        assert first.alignment.value == pytest.approx(first.distance, abs=1e-6)
    assert "codes" not in str(hits.stats)  # bounds from codes of few bits would be slower


@pytest.mark.parametrize(
    ("array", "scales"), [("scales", (np.inf, np.nan, -1.0)), ("code_scales", (np.inf, np.nan, -1.0, 3e38))]
)
def test_damaged_scales_are_found(tmp_path, array, scales):
    docs = random_batch(5)
    index = mr.Index.build(docs, "wmd", dtype="int4", rescore=array == "code_scales")
    for n, scale in enumerate(scales):
        index.save(tmp_path / str(n))
        overwrite(tmp_path / str(n), array, 2, scale)
        with pytest.raises(mr.IndexFormatError, match=r"array '(code_)?(scales|tokens|codes)': "):
            mr.Index.open(tmp_path / str(n)).verify()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("dtype",), "int2"),
        (("dtype",), "int8"),
        (("dim",), 4),
        (("dim",), 7),
        (("segments", 0, "arrays", "tokens", "shape"), [23, 2]),
        (("segments", 0, "arrays", "tokens", "shape"), [23, 5]),
        (("segments", 0, "arrays", "tokens", "dtype"), "|i1"),
        (("segments", 0, "arrays", "scales", "shape"), [22]),
    ],
)
def test_files_of_another_shape_are_refused(tmp_path, place, value):
    mr.Index.build(random_batch(5), "wmd", dtype="int4", prefilter=None).save(tmp_path / "index")
    change(tmp_path / "index", *place, to=value)
    with pytest.raises(mr.IndexFormatError):
        mr.Index.open(tmp_path / "index").verify()


@pytest.mark.parametrize("dtype", PACKED)
def test_packed_tokens_are_read_from_npy_files(tmp_path, dtype):
    batch = random_batch(5).astype(dtype)
    arrays = {"tokens": batch.tokens, "offsets": batch.offsets, "scales": batch.scales}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    files = {name: tmp_path / f"{name}.npy" for name in arrays}
    (read,) = read_npy(**files, dtype=dtype, dim=5)
    assert (read.docs.dtype, read.docs.dim) == (dtype, 5)
    np.testing.assert_array_equal(read.docs[2], batch[2])
    for wrong, kind, message in (
        ({}, ValueError, "scales: required with int8, int4 and int2 tokens, and not allowed with other types"),
        ({"dim": 5}, ValueError, "dim: only with the dtype of packed tokens, int4 or int2"),
        ({"dtype": "int8"}, ValueError, "dtype must be one of 'int4', 'int2', got 'int8'"),
        ({"dtype": dtype, "dim": 1}, ValueError, "in the batch that begins at document 0: dim: 1 components of"),
    ):
        with pytest.raises(kind, match=message):
            list(read_npy(**files, **wrong))


def test_packed_tokens_are_read_from_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    batch = random_batch(5).astype("int4")
    arrays = {"tokens": batch.tokens, "offsets": batch.offsets, "scales": batch.scales}
    safetensors.save_file(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()}, tmp_path / "a.safetensors"
    )
    (read,) = mr.readers.read(tmp_path / "a.safetensors", dtype="int4", dim=5)
    np.testing.assert_array_equal(read.docs[2], batch[2])
    safetensors.save_file({"one": np.eye(3, dtype=np.float32)}, tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="dtype is for files with the tensors tokens, offsets and scales"):
        list(mr.readers.read(tmp_path / "b.safetensors", dtype="int4"))
