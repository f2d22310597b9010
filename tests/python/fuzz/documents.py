"""Readers of documents, of requests, of runs and of pairs: anything is some, or refused with the name of the file."""

import json

from fuzz.json_changes import change_somewhere
from fuzz.scratch import scratch_folder
from moverank.cli import pairs, runs
from moverank.cli.errors import UserError
from moverank.errors import TextFormatError
from moverank.readers.texts import Fields, TextFiles, document, files, formats, json_values, lines, tables

TRACED = (document, files, formats, json_values, lines, pairs, runs, tables)
FOLDER = scratch_folder()


def check(octets):
    """Whether any reader accepted it, besides that of plain text, which accepts nearly all."""
    _documents("documents.txt", octets)
    return any([_documents("documents.jsonl", octets), _requests(octets), _run(octets), _pairs(octets)])


def mutate(octets, rng):
    """Change a line of JSON into another one, or put a line in a second place."""
    lines = octets.split(b"\n")
    n = rng.integers(len(lines))
    try:
        row = json.loads(lines[n])
    except (ValueError, RecursionError):
        row = None
    if isinstance(row, (dict, list)) and rng.random() < 0.7:
        change_somewhere(row, rng)
        lines[n] = json.dumps(row).encode()
    else:
        lines.insert(rng.integers(len(lines) + 1), lines[n])
    return b"\n".join(lines)


def _read(name, octets, read):
    """What a reader makes of a file, or None if it is refused as it should be."""
    file = FOLDER / name
    file.write_bytes(octets)
    try:
        return read(file)
    except (UserError, TextFormatError) as refusal:
        words = str(refusal)
    assert words.startswith(str(file)), words
    return None


def _documents(name, octets):
    found = _read(name, octets, lambda file: list(TextFiles(file)))
    for one in found or ():
        assert one.content.strip()
        _require_writable(one)
    return bool(found)


def _requests(octets):
    found = _read("requests.jsonl", octets, lambda file: runs.read_requests(file, Fields()))
    if found is None:
        return False
    for request in found:
        f"{request.id} {request.query}".encode()
        assert request.candidates
        for candidate in request.candidates:
            _require_writable(candidate.document)
            json.dumps(candidate.score, allow_nan=False)
    return True


def _run(octets):
    found = _read("run.txt", octets, lambda file: list(runs.run_rows(file)))
    return found is not None


def _pairs(octets):
    _read("lines.txt", octets, lambda file: pairs.read_lines_of_pairs(file, [file], None))
    named = ("query", ["documents"]) if octets.startswith(b"{") else (None, None)  # as requests and documents have them
    found = _read("pairs.txt", octets, lambda file: pairs.read_pairs(file, *named, None))
    if found is None:
        return False
    assert len(found.candidates) == len(found.references) == len(found.places)
    for candidate, references in zip(found.candidates, found.references, strict=True):
        assert references
        " ".join([candidate, *references]).encode()
    return True


def _require_writable(one):
    f"{one.id} {one.content}".encode()
