"""An index that is damaged says what is wrong: in which file, which field or array, and what is there instead."""

import os
import re

import numpy as np
import pytest

import moverank as mr
from damaged import GONE, change, content, overwrite, rewrite

DOCS = [np.full((3, 4), n + 1.0) + np.eye(3, 4) for n in range(9)]
TABLE = np.random.default_rng(0).normal(size=(6, 4))
BAGS = mr.Bags(TABLE, [[n % 6, (n + 1) % 6] for n in range(9)])
NAMES = [f"d{n}" for n in range(9)]

SORTS = {
    "plain": lambda: mr.Index.build(DOCS, "wrd", ids=NAMES, payloads=[{"n": n} for n in range(9)]),
    "ints": lambda: mr.Index.build(DOCS, "wrd", ids=np.arange(9)[::-1].copy()),
    "clusters": lambda: mr.Index.build(DOCS, "wrd", prefilter=mr.Clusters(2)),
    "tokens": lambda: mr.Index.build(DOCS, "wrd", prefilter=mr.TokenCells(4)),
    "int8": lambda: mr.Index.build(DOCS, "wrd", dtype="int8"),
    "int4": lambda: mr.Index.build(DOCS, "wrd", dtype="int4"),
    "codes": lambda: mr.Index.build(DOCS, "wrd", dtype="int8", rescore=True),
    "int2 codes": lambda: mr.Index.build(DOCS, "wrd", dtype="int2", rescore=True),
    "pooled": lambda: mr.Index.build(DOCS, "wrd", pool=2),
    "bags": lambda: mr.Index.build(BAGS, "wrd"),
    "faiss": lambda: mr.Index.build(DOCS * 30, "wrd", prefilter="HNSW4"),  # a few are compared without faiss
    "given": lambda: mr.Index.build(1 + np.eye(9, 3), costs=1 - np.eye(3)),
    "space": lambda: mr.Index.build(DOCS, "wrd", space=SPACE),
}
WORDS = mr.encoders.WordVectors(["cat", "dog"], np.eye(2))
SPACE = mr.fit(WORDS, ["a cat", "a dog"], ["centring"])


@pytest.fixture
def make(tmp_path):
    def made(sort):
        index = SORTS[sort]()
        index.remove(index.ids[3:4].tolist())
        index.save(tmp_path / sort)
        return tmp_path / sort

    return made


SEGMENT = ("segments", 0)
ARRAYS = (*SEGMENT, "arrays")
LARGE = "array 'tokens' is outside its file, or not aligned"


@pytest.mark.parametrize(
    ("sort", "place", "value", "message"),
    [
        ("plain", ("covered",), GONE, "manifest: 'covered' is missing"),
        ("plain", ("colour",), "red", "manifest: 'colour' is unknown"),
        ("plain", ("next_id",), "x", "manifest: 'next_id' is 'x', expected int"),
        ("plain", ("next_id",), -1, "the next id is -1"),
        ("plain", ("generation",), -1, "manifest: 'generation' is -1, expected a count"),
        ("plain", ("batches",), -1, "the number of batches is -1, expected at least 0"),
        ("plain", ("covered",), 5, "the documents in the faiss file are not those of the first segments"),
        ("plain", ("dim",), 0, "has options that contradict each other"),
        ("plain", ("kind",), "tables", "kind is 'tables', expected one of sequences, bags"),
        ("plain", ("ids",), "uuid", "ids is 'uuid', expected one of int, str"),
        ("plain", ("dtype",), "int3", "dtype must be one of 'float32', .*got 'int3'"),
        ("plain", ("origin",), [1, "x"], "the origin is not a list of finite numbers"),
        ("given", ("sources",), [1, 2], "sources is not a list of strings"),
        ("given", ("sources",), ["x"], "has options that contradict each other"),
        ("given", ("targets",), ["x"], "has names for 1 bins of documents, but costs for "),
        ("plain", ("targets",), ["x"], "has options that contradict each other"),
        ("given", ("kind",), "sequences", "has given costs, but its documents are not histograms"),
        ("plain", ("prefilter",), 3, "manifest: 'prefilter' is 3, expected dict"),
        ("plain", ("prefilter", "faiss"), "\ud83d", r"manifest: prefilter: 'faiss' is .*, which is not valid Unicode"),
        ("plain", ("measure",), None, "has no measure"),
        ("plain", ("measure", "ground"), "x", "ground must be one of .*got 'x'"),
        ("plain", ("measure", "capacity"), 0.5, "capacity must be at least 1, got 0.5"),
        ("plain", ("measure", "problem"), None, "manifest: measure: 'problem' is null"),
        ("plain", ("segments",), {}, "manifest: 'segments' is {}, expected list"),
        ("given", ("segments",), [], "compares by given costs, but has no segment, which would contain them"),
        ("plain", SEGMENT, 3, "segment 0: expected an object, got int"),
        ("plain", (*SEGMENT, "file"), None, "a file of arrays lacks its name or its arrays"),
        ("plain", (*SEGMENT, "numbers"), None, "a segment lacks its numbers"),
        ("plain", (*SEGMENT, "removed", "nbytes"), 800, "more documents are removed from a segment than it has"),
        ("plain", (*SEGMENT, "removed", "nbytes"), 7, "more documents are removed from a segment than it has"),
        ("plain", (*SEGMENT, "numbers", "max_norm"), -1, "number 'max_norm' is -1"),
        ("plain", (*SEGMENT, "numbers", "rounded"), 0.5, "number 'rounded' is 0.5, expected 0 or 1"),
        (
            "plain",
            (*SEGMENT, "numbers", "max_norm"),
            GONE,
            r"numbers are \['pooled_norm', 'rounded'\], expected \['max_norm', ",
        ),
        ("codes", (*SEGMENT, "numbers", "largest_code_norm"), GONE, "expected .*'largest_code_norm'"),
        ("clusters", (*SEGMENT, "numbers", "cluster_max_norm"), GONE, "expected .*'cluster_max_norm'"),
        (
            "bags",
            (*SEGMENT, "numbers", "first_word"),
            3,
            "the words of a segment do not begin where",
        ),
        ("pooled", ("pool",), 1.0, "pool is 1.0, expected a finite number above 1"),
        ("pooled", ("pool",), "2", "manifest: 'pool' is '2', expected float"),
        ("pooled", ("pool",), None, "array 'given_offsets': unknown"),
        ("pooled", (*ARRAYS, "pooled_into"), GONE, "array 'pooled_into': missing"),
        ("bags", ("pool",), 2.0, "has options that contradict each other"),
        ("tokens", ("cells",), None, "has no cells, which its prefilter needs"),
        ("tokens", ("cells", "codebook"), None, "has cells without a codebook"),
        ("tokens", ("cells", "codebook", "residual"), -1.0, "number 'residual' is -1.0"),
        (
            "tokens",
            ("cells", "codebook", "arrays", "coarse"),
            GONE,
            r"arrays of the codebook are \['centroids', 'firsts'",
        ),
        ("tokens", ("cells", "codebook", "arrays", "centroids", "shape"), [4, 3], "array 'centroids' of the codebook"),
        ("tokens", ("cells", "groups"), [], "the documents that the codebook covers are not those"),
        ("tokens", ("cells", "covered"), 3, "the documents that the codebook covers are not those"),
        ("tokens", ("cells", "groups", 0, "arrays", "mass"), GONE, r"arrays of cells are .*expected \['cells', "),
        ("tokens", ("cells", "groups", 0, "arrays", "list_offsets", "shape"), [4], "array 'list_offsets' of cells: dt"),
        ("tokens", ("cells", "groups", 0, "colour"), 1, "cells 0: 'colour' is unknown"),
        ("tokens", ("prefilter", "tokens", "probes"), 0, "probes must be at least 1, got 0"),
        ("tokens", ("prefilter",), {"faiss": "Flat"}, "array 'pooled': missing"),
        ("plain", (*ARRAYS, "tokens"), GONE, "array 'tokens': missing"),
        ("plain", (*ARRAYS, "colours"), {"dtype": "<f4", "shape": [9], "offset": 64}, "array 'colours': unknown"),
        ("plain", (*ARRAYS, "tokens", "dtype"), "<f9", "dtype '<f9' is not one of "),
        (
            "plain",
            (*ARRAYS, "tokens", "dtype"),
            "<f2",
            r"array 'tokens': dtype <f2 and shape \[27, 4\] do not match",
        ),
        ("plain", (*ARRAYS, "tokens", "shape"), [27, -4], r"shape \[27, -4\] is not the shape of an array"),
        ("plain", (*ARRAYS, "tokens", "shape"), [27, 5], r"array 'tokens': dtype <f4 and shape \[27, 5\] do not match"),
        (
            "plain",
            (*ARRAYS, "mass", "shape"),
            [26],
            r"array 'mass': dtype <f8 and shape \[26\] do not match the",
        ),
        ("plain", (*ARRAYS, "tokens", "offset"), 65, LARGE),
        ("plain", (*ARRAYS, "tokens", "offset"), 1 << 40, LARGE),
        ("plain", (*SEGMENT, "file", "crc32"), "x", "'crc32' is 'x', expected int"),
        ("plain", (*SEGMENT, "file", "file"), "../x", "'../x' is not a valid name for a file of an index"),
    ],
)
def test_manifests_that_do_not_say_what_they_should(make, sort, place, value, message):
    folder = make(sort)
    change(folder, *place, to=value)
    with pytest.raises(mr.IndexFormatError, match=rf"manifest\.json: .*{message}"):
        mr.Index.open(folder)


def test_given_costs_are_in_the_first_segment_alone(make):
    folder = make("given")
    with mr.Index.open(folder, writable=True) as index:
        index.add(1 + np.eye(2, 3))
    change(folder, "segments", 1, "arrays", "costs", to={"dtype": "<f8", "shape": [1, 3], "offset": 64})
    with pytest.raises(mr.IndexFormatError, match="a segment other than the first contains given costs"):
        mr.Index.open(folder)


def test_a_file_is_named_once(make):
    folder = make("plain")
    entry = content(folder)["segments"][0]
    change(folder, *SEGMENT, "removed", "file", to=entry["file"]["file"])
    with pytest.raises(mr.IndexFormatError, match="a file is listed twice"):
        mr.Index.open(folder)


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        (b"{}", "is not JSON written by moverank"),
        (b'{"version": 1, "format": \n', "manifest: 'format' is None, expected str"),
        (b'{"format": "faiss", "version": 1, "content":\n{}\n}\n', "is not the manifest of a moverank index"),
        (b'{"format": 3, "content":\n{}\n}\n', "manifest: 'format' is 3, expected str"),
        (b'{"format": "moverank index", "version": 3, "crc32": "0", "content":\n{}\n}\n', "has a wrong checksum"),
    ],
)
def test_files_that_are_no_manifest(make, octets, message):
    folder = make("plain")
    (folder / "manifest.json").write_bytes(octets)
    with pytest.raises(mr.IndexFormatError, match=rf"manifest\.json: .*{message}"):
        mr.Index.open(folder)


def test_a_manifest_that_nobody_would_want_to_read(make):
    folder = make("plain")
    os.truncate(folder / "manifest.json", (1 << 26) + 1)
    with pytest.raises(mr.IndexFormatError, match=r"manifest\.json: is larger than 67108864 bytes"):
        mr.Index.open(folder)


def test_folders_that_are_no_index(tmp_path):
    with pytest.raises(mr.IndexNotFoundError, match=f"no index: the folder does not exist: '{tmp_path}/none'"):
        mr.Index.open(tmp_path / "none")
    with pytest.raises(mr.IndexNotFoundError, match=r"no index: the folder has no manifest\.json, so it is no"):
        mr.Index.open(tmp_path)


@pytest.mark.parametrize(
    ("change_of_size", "message"),
    [
        (lambda octets: octets[:-1], "expected 1808 bytes by the manifest, got 1807; the index is damaged"),
        (lambda octets: octets[:-1] + b"x", "expected the checksum [0-9a-f]{8} by the manifest, got [0-9a-f]{8}; the"),
    ],
)
def test_files_that_are_not_what_the_manifest_says(make, change_of_size, message):
    folder = make("plain")
    path = next(folder.glob("*.seg"))
    path.write_bytes(change_of_size(path.read_bytes()))
    with pytest.raises(mr.IndexFormatError, match=f"{path.name}: {message}"):
        mr.Index.open(folder, mmap=False)


def test_positions_of_removed_documents_rise_within_the_segment(make):
    folder = make("plain")
    for positions in ([9], [-1], [5, 5]):
        rewrite(folder, np.array(positions, dtype="<i8").tobytes(), *SEGMENT, "removed")
        with pytest.raises(mr.IndexFormatError, match=r"\.gone: expected increasing positions of documents"):
            mr.Index.open(folder)


@pytest.mark.parametrize(
    ("sort", "array", "place", "value", "message"),
    [
        ("plain", "tokens", 5, np.nan, "array 'tokens': has a token that is not finite"),
        ("plain", "mass", 5, 0.9, "array 'mass': does not sum to 1 in every document"),
        ("plain", "inverse_norms", 5, -1, "array 'inverse_norms': has a number that is not finite, or less"),
        ("plain", "offsets", 1, 28, "array 'offsets': does not split '.*' into runs; the index's files are damaged"),
        ("plain", "id_offsets", 1, -1, "array 'id_offsets': does not split 'id_text' into runs"),
        ("plain", "id_text", 0, 0xFF, "ids: not in UTF-8"),
        ("plain", "id_text", 0, 0x64 + 1, "ids: a hash does not match its id"),
        ("plain", "id_hashes", 0, 2**64 - 1, "ids: their hashes are not in order"),
        ("plain", "id_order", 0, 9, "ids: their order has invalid positions"),
        ("plain", "payload_text", 0, 0x20, "payload of document 'd0': is not JSON"),
        ("ints", "ids", 0, 0, "ids: their order is not increasing"),
        ("ints", "ids", 0, 1 << 40, "an id is not less than the next id in the manifest"),
        ("clusters", "cluster_mass", 0, 5.0, "array 'cluster_mass': does not sum to 1 in every document"),
        ("clusters", "cluster_tokens", 0, np.inf, "array 'cluster_tokens': has a number that is not finite, or"),
        ("codes", "code_rho", 0, np.nan, "array 'code_rho': has a number that is not finite, or less"),
        ("bags", "rows", slice(2), 1, "array 'rows': a word occurs twice"),
        ("bags", "words", 0, 77, "files do not match each other: .*a bag has a word with neither a vector"),
    ],
)
def test_arrays_that_hold_what_they_cannot(make, sort, array, place, value, message):
    folder = make(sort)
    overwrite(folder, array, place, value)
    name = content(folder)["segments"][0]["file"]["file"]
    with pytest.raises(mr.IndexFormatError, match=message) as refused, mr.Index.open(folder) as index:
        index.verify()
    assert name in str(refused.value) or "an id is" in message


CODEBOOK, GROUP = ("cells", "codebook"), ("cells", "groups", 0)


@pytest.mark.parametrize(
    ("of", "array", "place", "value", "message"),
    [
        (CODEBOOK, "centroids", 0, np.nan, "the codebook has a number that is not finite"),
        (CODEBOOK, "firsts", 1, 3, "array 'firsts' of the codebook: does not split the centroids into runs"),
        (GROUP, "offsets", 1, 0, "array 'offsets' of cells: does not split the others into runs, one per document"),
        (GROUP, "cells", 0, 4, "array 'cells': does not rise in every document, or exceeds the number of cells"),
        (GROUP, "mass", 0, 0.25, "array 'mass' of cells: does not sum to 1 in every document"),
        (GROUP, "list_offsets", 1, 0, "array 'list_offsets' of cells: does not list the documents of every cell"),
        (GROUP, "documents", slice(None), 8, "array 'documents' of cells: does not list the documents of every cell"),
    ],
)
def test_cells_that_are_not_those_of_documents(make, of, array, place, value, message):
    folder = make("tokens")
    overwrite(folder, array, place, value, of=of)
    name = content(folder)
    for key in of:
        name = name[key]
    with pytest.raises(mr.IndexFormatError, match=message) as refused, mr.Index.open(folder) as index:
        index.verify()
    assert name["file"]["file"] in str(refused.value)
    # A search refuses them, or finds other candidates: each document at most once, of those that there are.
    with mr.Index.open(folder) as index:
        try:
            found = index.search(DOCS[0], 8, candidates=8)
        except mr.IndexFormatError:
            return
        assert len(np.unique(found.ids)) == len(found)
        assert set(found.ids) <= set(index.ids)


def test_payloads_that_are_no_json_fit_no_condition(make):
    folder = make("plain")
    overwrite(folder, "payload_text", 0, 0x20)
    with pytest.raises(mr.IndexFormatError, match="payloads: are not JSON; the index's files are damaged"):
        mr.Index.open(folder).search(DOCS[0], 1, where="n = 1")


@pytest.mark.parametrize(("sort", "array"), [("plain", "offsets"), ("clusters", "cluster_offsets")])
def test_what_does_not_fit_together_is_found_when_it_is_searched(make, sort, array):
    folder = make(sort)
    overwrite(folder, array, 2, 0)
    with pytest.raises(mr.IndexFormatError, match="files do not match each other: offsets must not decrease"):
        mr.Index.open(folder).search(DOCS[0], 2, candidates=4)


def test_ids_are_unique_across_segments(tmp_path):
    mr.Index.build(DOCS * 4).save(tmp_path / "index")
    with mr.Index.open(tmp_path / "index", writable=True) as index:
        index.add(DOCS[:1], ids=[36])
    assert len(content(tmp_path / "index")["segments"]) == 2
    overwrite(tmp_path / "index", "ids", 35, 36)
    with pytest.raises(mr.IndexFormatError, match="two documents have the same id"):
        mr.Index.open(tmp_path / "index").verify()


def test_what_faiss_wrote_is_of_these_documents(make):
    folder = make("faiss")
    entry = content(folder)["faiss"]
    whole = (folder / entry["file"]).read_bytes()
    rewrite(folder, whole[:100], "faiss")
    with pytest.raises(mr.IndexFormatError, match=rf"{entry['file']}: faiss cannot read it: "):
        mr.Index.open(folder).search(DOCS[0], 1)
    mr.Index.build([doc[:, :3] for doc in DOCS * 30], "wrd", prefilter="HNSW4").save(folder / "other")
    other = folder / "other" / content(folder / "other")["faiss"]["file"]
    rewrite(folder, other.read_bytes(), "faiss")
    with pytest.raises(mr.IndexFormatError, match=rf"{entry['file']}: does not belong to the documents of this index"):
        mr.Index.open(folder).search(DOCS[0], 1)


def test_a_space_that_is_none(make):
    folder = make("space")
    rewrite(folder, b"PK and nothing more", "space")
    with pytest.raises(mr.IndexFormatError, match="its space: is not a space of moverank"):
        mr.Index.open(folder).verify()


@pytest.mark.parametrize(
    ("sort", "array", "place", "value"),
    [("plain", "mass", 0, 7.0), ("plain", "offsets", 1, 0), ("codes", "mass", 0, 7.0), ("codes", "offsets", 1, 0)],
)
def test_a_document_that_cannot_be_measured_is_no_answer(make, sort, array, place, value):
    folder = make(sort)
    overwrite(folder, array, place, value)
    message = r"a document cannot be measured: the mass of a document is not 1; verify finds the damage"
    index = mr.Index.open(folder)
    for k, subset in ((9, None), (1, index.ids[:3].tolist())):
        with pytest.raises(mr.IndexFormatError, match=message):
            index.search(DOCS[0], k, subset=subset)


@pytest.mark.parametrize("sort", ["int8", "int4"])
@pytest.mark.parametrize("scale", [3e38, np.inf, np.nan])
def test_tokens_that_are_too_large_are_refused_where_they_are_looked_at(make, sort, scale):
    """Cosines need no scale, so that a search does not come upon it."""
    folder = make(sort)
    overwrite(folder, "scales", 0, scale)
    found = mr.Index.open(folder).search(DOCS[0], 9)
    with pytest.raises(mr.IndexFormatError, match=r"a document cannot be measured: .*; verify finds the damage"):
        [hit.alignment for hit in found]


def test_messages_name_files_as_they_are_called(make):
    """What a message names can be looked at: the path of the folder, as it was given, and the file in it."""
    folder = make("plain")
    next(folder.glob("*.seg")).unlink()
    with pytest.raises(mr.IndexFormatError, match=rf"{re.escape(str(folder))}/[0-9a-f]{{16}}\.seg: is missing"):
        mr.Index.open(folder)
