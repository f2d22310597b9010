"""What users have in place of plain lists and arrays: taken by position and value, or refused by name."""

import decimal

import numpy as np
import pytest

import moverank as mr
from moverank._support.arrays import plain_array
from moverank._support.validate import as_list

X, Y = np.arange(6.0).reshape(3, 2), np.eye(2)


# ---- lists -----------------------------------------------------------------------------------------------------------


def test_lists_are_taken_by_position_whatever_labels_they_have():
    pd = pytest.importorskip("pandas")
    shuffled = pd.Series(["a", "b", "c"], index=[2, 0, 1])
    assert as_list(shuffled, "ids", "ids") == ["a", "b", "c"]
    assert as_list(shuffled[shuffled != "b"], "ids", "ids") == ["a", "c"]
    assert as_list(pd.Index([7, 5]), "ids", "ids") == [7, 5]
    assert as_list(pd.Categorical(["b", "a"]), "ids", "ids") == ["b", "a"]
    assert as_list((n for n in (3, 1)), "ids", "ids") == [3, 1]
    assert as_list(np.array(["x", "y"]), "ids", "ids") == ["x", "y"]
    with pytest.raises(TypeError, match="ids: expected a list of ids, got DataFrame; give one of its columns"):
        as_list(pd.DataFrame({"id": [1]}), "ids", "ids")


def test_elements_of_arrow_arrays_and_tensors_are_values():
    pa, torch = pytest.importorskip("pyarrow"), pytest.importorskip("torch")
    assert as_list(pa.array(["a", None]), "payloads", "JSON values") == ["a", None]
    assert as_list(pa.chunked_array([["a"], ["b"]]), "ids", "ids") == ["a", "b"]
    ids = as_list(torch.arange(3), "ids", "ids")
    assert ids == [0, 1, 2]
    assert all(isinstance(name, np.integer) for name in ids)


@pytest.mark.parametrize("value", [{"a", "b"}, {"a": 1}, "ab", np.array(3), 3, None])
def test_what_has_no_order_is_no_list(value):
    with pytest.raises(TypeError, match="ids: expected a list of ids, got"):
        as_list(value, "ids", "ids")


def test_masked_entries_of_a_list_are_refused():
    with pytest.raises(ValueError, match="ids: has masked entries"):
        as_list(np.ma.masked_array([1, 2], [False, True]), "ids", "ids")
    assert as_list(np.ma.masked_array([1, 2]), "ids", "ids") == [1, 2]


# ---- arrays ----------------------------------------------------------------------------------------------------------


def tensors():
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, dtype=torch.float32)
    return {
        "bfloat16": x.bfloat16(),
        "float16": x.half(),
        "requires_grad": x.clone().requires_grad_(),
        "not contiguous": x.t().contiguous().t(),
        "rows": list(x.clone().requires_grad_()),
        "negated view": torch.complex(x, -x).conj().imag,
    }


@pytest.mark.parametrize("kind", ["bfloat16", "float16", "requires_grad", "not contiguous", "rows", "negated view"])
def test_tensors_are_arrays(kind):
    x = tensors()[kind]
    assert mr.wmd(x, Y) == pytest.approx(mr.wmd(X, Y), abs=1e-6)
    np.testing.assert_array_equal(mr.Sequences([Y, x]).tokens[2:], X)
    np.testing.assert_array_equal(mr.distances(x, [Y], "wmd"), mr.distances(X, [Y], "wmd"))


def test_tensors_are_weights_and_costs():
    torch = pytest.importorskip("torch")
    a = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert mr.wmd(X, Y, a=a) == mr.wmd(X, Y, a=[1, 2, 3])
    cost = torch.tensor(X, requires_grad=True)
    assert mr.transport(cost, a).value == mr.transport(X, [1, 2, 3]).value
    batch = torch.tensor(np.stack([X, X + 1]), dtype=torch.bfloat16)
    np.testing.assert_array_equal(mr.pairwise(batch, measure="wmd"), mr.pairwise([X, X + 1], measure="wmd"))


def test_frames_and_series_are_arrays_by_position():
    pd = pytest.importorskip("pandas")
    assert mr.wmd(pd.DataFrame(X, index=[5, 1, 3]), Y) == mr.wmd(X, Y)
    rows = pd.Series(list(X), index=[2, 0, 1])
    assert mr.wmd(rows, Y) == mr.wmd(X, Y)
    documents = pd.Series([X, Y, X + 1], index=[2, 0, 1])
    np.testing.assert_array_equal(mr.distances(Y, documents, "wmd"), mr.distances(Y, [X, Y, X + 1], "wmd"))
    weights = pd.Series([[1, 2], [3, 4]], index=[1, 0])
    assert mr.Sequences([Y, Y], weights).weights.tolist() == [1, 2, 3, 4]
    assert mr.wmd(X, Y, pd.Series([1, 2, 3], index=[2, 0, 1])) == mr.wmd(X, Y, [1, 2, 3])


class Tensor:
    """Of a framework that has the DLPack protocol only."""

    def __dlpack__(self, **options):
        return X.__dlpack__(**options)

    def __dlpack_device__(self):
        return X.__dlpack_device__()


class Interface:
    __array_interface__ = X.__array_interface__


@pytest.mark.parametrize("value", [Tensor(), Interface(), X.tolist(), memoryview(X)], ids=type)
def test_protocols_of_arrays_are_understood(value):
    assert mr.wmd(value, Y) == mr.wmd(X, Y)


def refused():
    sparse = pytest.importorskip("scipy.sparse")
    return {
        "csr": (sparse.csr_matrix(X), TypeError, "x: sparse csr_matrix is not accepted; convert it to a dense array"),
        "coo": (sparse.coo_array(X), TypeError, "x: sparse coo_array is not accepted"),
        "text": ("a text", TypeError, r"x: expected real numbers, got text; .*encoder.encode\(texts\)"),
        "texts": (["a text", "another"], TypeError, r"x: expected real numbers, got text; .*Reranker"),
        "text array": (np.array(["a", "b"]), TypeError, "x: expected real numbers, got text; .*encode"),
        "objects": (np.array([[1, None]]), TypeError, "x: expected real numbers, got dtype object"),
        "decimals": ([[decimal.Decimal(1)]], TypeError, "x: expected real numbers, got dtype object"),
        "complex": (X + 1j, TypeError, "x: expected real numbers, got dtype complex128"),
        "dates": (X.astype("datetime64[s]"), TypeError, r"x: expected real numbers, got dtype datetime64\[s\]"),
        "mapping": ({"a": 1}, TypeError, "x: expected real numbers, got dtype object"),
        "masked": (np.ma.masked_array(X, [[0, 0], [1, 1], [0, 0]]), ValueError, "x: has masked entries; leave them"),
        "masked row": ([np.ma.masked_array([1, 2], [0, 1]), [3, 4]], ValueError, "x: has masked entries"),
    }


@pytest.mark.parametrize("kind", list(refused()))
def test_what_is_no_array_of_real_numbers_is_refused_by_name(kind):
    value, error, message = refused()[kind]
    with pytest.raises(error, match=message):
        mr.wmd(value, Y)
    with pytest.raises(error, match=message.replace("x: ", "docs: sequence 1: ")):
        mr.distances(Y, [Y, value])


def test_a_mask_that_hides_nothing_is_no_hindrance():
    assert mr.wmd(np.ma.masked_array(X, False), Y) == mr.wmd(X, Y)


def test_what_lies_under_a_mask_is_used_nowhere():
    hidden = np.ma.masked_array([1.0, 2.0], [False, True])
    for call, name in (
        (lambda: mr.transport(np.ma.masked_greater(X, 4)), "cost"),
        (lambda: mr.Bags(np.ma.masked_greater(X, 4), [[0]]), "vectors"),
        (lambda: mr.Bags(Y, [np.ma.masked_array([0, 1], [False, True])]), "document 0"),
        (lambda: mr.Bags.from_flat(Y, np.ma.masked_array([0, 1], [False, True]), [0, 2]), "words"),
        (lambda: mr.Bags.from_flat(Y, [0, 1], [0, 2], hidden), "counts"),
        (lambda: mr.Sequences.from_flat(Y, np.ma.masked_array([0, 1, 2], [False, True, False])), "offsets"),
        (lambda: mr.gradients(np.ma.masked_greater(X, 4), Y), "x"),
    ):
        with pytest.raises(ValueError, match=f"{name}: has masked entries"):
            call()


def test_a_masked_weight_is_zero():
    a = np.ma.masked_array([1.0, np.nan, 3.0], [False, True, False])
    assert mr.wmd(X, Y, a=a) == mr.wmd(X, Y, a=[1, 0, 3])
    assert mr.transport(X, a).value == mr.transport(X, [1, 0, 3]).value
    assert mr.Sequences([X], [a]).weights.tolist() == [1, 0, 3]
    assert mr.Sequences.from_flat(X, [0, 3], a).weights.tolist() == [1, 0, 3]
    assert mr.gradients(X, Y, "wmd", a=a).value == mr.gradients(X, Y, "wmd", a=[1, 0, 3]).value
    with pytest.raises(ValueError, match="a: total mass is zero"):
        mr.wmd(X, Y, a=np.ma.masked_all(3))


@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_tensors_that_cannot_be_read_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="x: Tensor cannot be converted"):
        mr.wmd(torch.ones((2, 2), device="meta"), Y)
    for sparse in (torch.eye(2).to_sparse(), torch.eye(2).to_sparse_csr()):
        with pytest.raises(TypeError, match="x: sparse Tensor is not accepted"):
            mr.wmd(sparse, Y)


@pytest.mark.parametrize("dtype", ["Float64", "Float32", "Int64", "boolean"])
def test_data_frames_of_types_of_pandas_are_numbers(dtype):
    pd = pytest.importorskip("pandas")
    plain = np.eye(3)
    frame = pd.DataFrame(plain).astype(dtype)
    assert plain_array(frame, "p").dtype.kind in "fib"
    np.testing.assert_array_equal(mr.pairwise(frame, costs=1 - plain), mr.pairwise(plain, costs=1 - plain))
    mixed = pd.DataFrame({"a": frame[0], "b": plain[1], "c": plain[2].astype(np.float32)})
    np.testing.assert_array_equal(plain_array(mixed, "p"), np.array([plain[0], plain[1], plain[2]]).T)
    frame.iloc[0, 1] = None
    with pytest.raises(ValueError, match="p: has missing entries"):
        plain_array(frame, "p")
