"""Documents from files: the same as from memory, some at a time, and errors that say where."""

import datetime
import itertools
import os
import sys

import numpy as np
import pytest

import moverank as mr
from moverank.readers import Batch, chunks, read, read_npy, read_safetensors

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
safetensors_numpy = pytest.importorskip("safetensors.numpy")

RNG = np.random.default_rng(0)
LENGTHS = RNG.integers(1, 9, size=50)
OFFSETS = np.concatenate([[0], np.cumsum(LENGTHS)])
TOKENS = RNG.normal(size=(OFFSETS[-1], 6)).astype(np.float32)
WEIGHTS = RNG.random(OFFSETS[-1]) + 0.1


def saved(folder, **arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {name: folder / f"{name}.npy" for name in arrays}


def require_same(batches, dtype="float32", weights=None, ids=None, limit=None):
    batches = list(batches)
    assert sum(map(len, batches)) == len(LENGTHS)
    assert limit is None or max(map(len, batches)) <= limit
    docs = batches[0].docs
    for batch in batches[1:]:
        docs = docs + batch.docs
    expected = mr.Sequences.from_flat(TOKENS, OFFSETS, weights).astype(dtype)
    assert docs.dtype == dtype
    np.testing.assert_array_equal(docs.tokens, expected.tokens)
    np.testing.assert_array_equal(docs.offsets, expected.offsets)
    if weights is not None:
        np.testing.assert_allclose(docs.weights, weights)
    if ids is not None:
        assert [name for batch in batches for name in np.asarray(batch.ids).tolist()] == ids


@pytest.mark.parametrize("documents", [1, 7, 8192])
def test_npy(tmp_path, documents):
    paths = saved(tmp_path, tokens=TOKENS, offsets=OFFSETS, weights=WEIGHTS, ids=np.arange(50) * 3)
    require_same(read_npy(**paths, documents=documents), "float32", WEIGHTS, list(range(0, 150, 3)), documents)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8"])
def test_npy_of_compact_tokens(tmp_path, dtype):
    stored = mr.Sequences.from_flat(TOKENS, OFFSETS).astype(dtype)
    extra = {"scales": stored.scales} if dtype == "int8" else {}
    paths = saved(tmp_path, tokens=stored.tokens, offsets=OFFSETS, ids=np.array([f"d{n}" for n in range(50)]), **extra)
    require_same(read_npy(**paths, documents=9), dtype, ids=[f"d{n}" for n in range(50)])


def test_npy_of_documents_of_one_length(tmp_path):
    np.save(tmp_path / "cube.npy", TOKENS[:60].reshape(10, 6, 6).astype(np.float64))
    (batch,) = read(tmp_path / "cube.npy")
    np.testing.assert_array_equal(batch.docs[3], TOKENS[18:24])


def test_batches_are_bounded_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "BYTES", 10 * TOKENS[0].nbytes)
    batches = list(read_npy(**saved(tmp_path, tokens=TOKENS, offsets=OFFSETS)))
    assert max(len(batch.docs.tokens) for batch in batches) <= 10
    require_same(batches)
    monkeypatch.setattr(chunks, "BYTES", 1)
    assert [len(batch) for batch in read_npy(tmp_path / "tokens.npy", tmp_path / "offsets.npy")] == [1] * 50


def test_safetensors(tmp_path):
    whole = {"tokens": TOKENS, "offsets": OFFSETS, "weights": WEIGHTS, "ids": np.arange(50)}
    safetensors_numpy.save_file(whole, tmp_path / "flat.safetensors")
    require_same(read_safetensors(tmp_path / "flat.safetensors", documents=11), "float32", WEIGHTS, list(range(50)), 11)
    each = {f"d{n:02}": TOKENS[OFFSETS[n] : OFFSETS[n + 1]].astype(np.float16) for n in range(50)}
    safetensors_numpy.save_file(each, tmp_path / "each.safetensors")
    require_same(read(tmp_path / "each.safetensors", documents=11), "float16", ids=sorted(each), limit=11)
    whole = {name: tensor.astype(np.float64) if name < "d10" else tensor for name, tensor in each.items()}
    safetensors_numpy.save_file(whole, tmp_path / "mixed.safetensors")
    docs = [doc for batch in read(tmp_path / "mixed.safetensors", documents=20) for doc in batch.docs]
    np.testing.assert_array_equal(np.concatenate(docs), TOKENS.astype(np.float16))


def arrow_table(kind):
    value = pa.float16() if kind == "float16" else pa.float32()
    lists = [TOKENS[a:b].astype(value.to_pandas_dtype()) for a, b in itertools.pairwise(OFFSETS)]
    if kind == "flat":
        column = pa.array([own.ravel() for own in lists], pa.list_(value))
    elif kind == "fixed":
        column = pa.array([list(own) for own in lists], pa.large_list(pa.list_(value, 6)))
    else:
        column = pa.array([list(own) for own in lists], pa.list_(pa.list_(value)))
    return pa.table(
        {
            "id": [f"d{n}" for n in range(50)],
            "tokens": column,
            "mass": [WEIGHTS[a:b].tolist() for a, b in itertools.pairwise(OFFSETS)],
            "year": [None if n == 4 else n for n in range(50)],
            "day": [datetime.date(2020, 1, 1)] * 50,
        }
    )


@pytest.mark.parametrize("kind", ["nested", "fixed", "flat", "float16"])
@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_arrow(tmp_path, kind, suffix):
    path = tmp_path / f"docs{suffix}"
    table = arrow_table(kind)
    if suffix == ".parquet":
        pq.write_table(table, path, row_group_size=20)
    else:
        new = pa.ipc.new_file if suffix == ".arrow" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as sink, new(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=20)
    batches = list(read(path, weights="mass", payload="*", dim=6 if kind == "flat" else None, documents=7))
    dtype = "float16" if kind == "float16" else "float32"
    require_same(batches, dtype, WEIGHTS, [f"d{n}" for n in range(50)], 7)
    payloads = [payload for batch in batches for payload in batch.payloads]
    assert payloads[3] == {"year": 3, "day": "2020-01-01"}
    assert payloads[4]["year"] is None


def test_a_column_of_weights_is_taken_by_its_name(tmp_path):
    path = tmp_path / "docs.parquet"
    table = arrow_table("nested").rename_columns(["id", "tokens", "weights", "year", "day"])
    pq.write_table(table, path)
    require_same(list(read(path, payload="*", documents=7)), "float32", WEIGHTS, [f"d{n}" for n in range(50)], 7)
    assert all("weights" not in batch.payloads[0] for batch in read(path, payload="*"))
    assert all(batch.docs.weights is None for batch in read(path, weights=None))
    assert all(batch.docs.weights is None for batch in read(path, tokens="weights", dim=1))
    with pytest.raises(ValueError, match="has no column 'mass'"):
        list(read(path, weights="mass"))
    for column in (["a"] * 50, [1.0] * 50, [["a"]] * 50):
        pq.write_table(table.set_column(2, "weights", pa.array(column)), path)
        with pytest.raises(
            TypeError, match=r"docs\.parquet: column 'weights': expected lists of real numbers.*weights=None"
        ):
            list(read(path))
        assert all(batch.docs.weights is None for batch in read(path, weights=None))
    with pytest.raises(TypeError, match="weights: expected the name of a column, True or None, got 3"):
        list(read(path, weights=3))


@pytest.mark.parametrize(
    "column",
    [
        lambda names: names.dictionary_encode(),
        lambda names: names.cast(pa.large_string()),
        lambda names: names.cast(pa.large_string()).dictionary_encode(),
        lambda names: names.cast(pa.string_view()) if hasattr(pa, "string_view") else names,
    ],
)
def test_strings_however_stored_are_ids(tmp_path, column):
    names = [f"d{n}" for n in range(50)]
    pq.write_table(arrow_table("nested").set_column(0, "id", column(pa.array(names))), tmp_path / "docs.parquet")
    assert [name for batch in read(tmp_path / "docs.parquet", documents=7) for name in batch.ids] == names


def test_what_is_read_can_be_built_from_and_searched(tmp_path):
    pq.write_table(arrow_table("nested"), tmp_path / "docs.parquet")
    batches = read([tmp_path / "docs.parquet"], payload=["year"], documents=8)
    index = mr.Index.build_on_disk(tmp_path / "index", batches)
    hits = index.search(TOKENS[OFFSETS[7] : OFFSETS[8]], 1, where="year > 5")
    assert (hits[0].id, hits[0].payload) == ("d7", {"year": 7})


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda f: read(f / "none.npy"), FileNotFoundError, r"none\.npy"),
        (lambda f: read(f / "x.csv"), ValueError, r"x\.csv: expected a file with one of the extensions \.npy, "),
        (lambda f: read(f / "tokens.npy"), ValueError, r"expected an array of shape \(N, n, d\) without offsets"),
        (lambda f: read_npy(f / "tokens.npy", f / "weights.npy"), ValueError, "integers and lead from 0 to its"),
        (lambda f: read_npy(f / "cut.npy"), ValueError, r"cut\.npy: is not an \.npy file"),
        (lambda f: read_npy(f / "pickled.npy"), ValueError, r"pickled\.npy: is not an \.npy file of plain numbers"),
        (
            lambda f: read_npy(f / "tokens.npy", f / "offsets.npy", ids=f / "weights.npy"),
            ValueError,
            r"ids have shape \(\d+,\), expected \(50,\)",
        ),
        (lambda f: read_npy(f / "nan.npy", f / "offsets.npy", documents=20), ValueError, "begins at document 40"),
        (lambda f: read(f / "cut.parquet"), ValueError, r"cut\.parquet: is not a valid \.parquet file"),
        (lambda f: read(f / "cut.arrow"), ValueError, r"cut\.arrow: is not a valid \.arrow file"),
        (lambda f: read(f / "cut.safetensors"), ValueError, r"cut\.safetensors: is not a safetensors file"),
        (lambda f: read(f / "docs.parquet", id="name"), ValueError, "no column 'name'; its columns are 'id'"),
        (lambda f: read(f / "docs.parquet", tokens="mass"), ValueError, "dim is required"),
        (lambda f: read(f / "docs.parquet", tokens="mass", dim=1000), ValueError, "is not a multiple of dim, 1000"),
        (lambda f: read(f / "docs.parquet", tokens="year"), ValueError, "'year': document 4 of the batch is null"),
        (lambda f: read(f / "docs.parquet", tokens="day"), TypeError, "column 'day': expected lists"),
        (lambda f: read(f / "docs.parquet", id="day"), TypeError, "expected ids that are integers or strings"),
        (lambda f: read(f / "docs.parquet", id="year"), ValueError, "the id of document 4 of the batch is null"),
        (lambda f: read(f / "docs.parquet", weights="id"), TypeError, "column 'id': expected lists, got string"),
        (lambda f: read(f / "docs.parquet", weights="words"), TypeError, "column 'words': expected real numbers, got"),
        (lambda f: read(f / "docs.parquet", weights="short"), ValueError, "column 'short': does not have one weight"),
        (lambda f: read(f / "docs.parquet", tokens="ragged"), ValueError, "'ragged': expected tokens of one dimension"),
        (lambda f: read(f / "half.arrow"), ValueError, r"half\.arrow: cannot be read after row 20: "),
        (lambda f: read(f / "empty.safetensors"), ValueError, r"empty\.safetensors: has no tensors"),
        (lambda f: read(f / "cube.safetensors"), ValueError, r"tensor 'a' has shape \(1, 1, 1\), expected \(n, d\)"),
        (lambda f: read_npy(f / "weights.npy", f / "offsets.npy"), ValueError, r"shape \(T, d\) with offsets"),
        (lambda f: read_npy(f / "tokens.npy", f / "falling.npy"), ValueError, "offsets decrease at document 1"),
        (lambda f: read_npy(f / "several.npz"), ValueError, r"several\.npz: is not an \.npy file of plain"),
        (lambda f: read_npy(f / "tokens.npy", documents=0), ValueError, "documents must be at least 1, got 0"),
        (lambda f: read(f / "docs.parquet", tokens="mass", dim=0), ValueError, "dim must be at least 1, got 0"),
        (lambda f: read(f / "docs.parquet", payload="year"), TypeError, "payload: expected a list of columns, got str"),
        (lambda f: read(f / "docs.parquet", documents=1.5), TypeError, "documents must be an integer, got 1.5"),
        (lambda f: read(f / "cube.safetensors", documents=True), TypeError, "documents must be an integer, got True"),
    ],
)  # fmt: skip
def test_files_that_are_not_what_they_should_be(tmp_path, call, kind, message):
    poisoned = TOKENS.copy()
    poisoned[OFFSETS[45]] = np.nan
    saved(tmp_path, tokens=TOKENS, offsets=OFFSETS, weights=WEIGHTS, nan=poisoned)
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    falling = OFFSETS.copy()
    falling[1:3] = falling[2:0:-1]
    saved(tmp_path, falling=falling)
    np.savez(tmp_path / "several.npz", TOKENS)
    safetensors_numpy.save_file({}, tmp_path / "empty.safetensors")
    safetensors_numpy.save_file({"a": np.ones((1, 1, 1))}, tmp_path / "cube.safetensors")
    table = arrow_table("nested")
    wrong = {"short": [[1.0]] * 50, "words": [["a"]] * 50, "ragged": [[[1.0], [1.0, 2.0]]] * 50}
    for name, column in wrong.items():
        table = table.append_column(name, pa.array(column))
    pq.write_table(table, tmp_path / "docs.parquet")
    with pa.OSFile(str(tmp_path / "half.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)
    os.truncate(tmp_path / "half.arrow", (tmp_path / "half.arrow").stat().st_size // 2)
    for name in ("cut.npy", "cut.parquet", "cut.arrow", "cut.safetensors", "x.csv"):
        (tmp_path / name).write_bytes(b"PAR1 or not")
    with pytest.raises(kind, match=message):
        list(call(tmp_path))


def test_bfloat16_in_safetensors_is_refused_by_name(tmp_path):
    header = b'{"a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}}'
    (tmp_path / "b.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0\0\0")
    with pytest.raises(ValueError, match="'a' is bfloat16"):
        list(read(tmp_path / "b.safetensors"))


def test_extras_are_named(tmp_path, monkeypatch):
    for name, extra, module in (("x.parquet", "arrow", "pyarrow"), ("x.safetensors", "safetensors", "safetensors")):
        (tmp_path / name).touch()
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=rf"{module} is not installed: pip install 'moverank\[{extra}\]'"):
            list(read(tmp_path / name))


def test_a_batch_checks_itself():
    docs = mr.Sequences.from_flat(TOKENS, OFFSETS)
    with pytest.raises(ValueError, match="payloads: expected 50, one per document, got 1"):
        Batch(docs, payloads=[1])
    assert repr(Batch(docs)).startswith("Batch(Sequences(50 sequences")
