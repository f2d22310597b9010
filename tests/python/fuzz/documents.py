"""Readers of documents, of requests and of runs: anything is some, or refused with the name of the file."""

import json

from fuzz.json_changes import change_somewhere
from fuzz.scratch import scratch_folder
from moverank.cli import documents, runs
from moverank.cli.errors import UserError

TRACED = (documents, runs)
FOLDER = scratch_folder()


def check(octets):
    """Whether any reader accepted it, besides that of plain text, which accepts nearly all."""
    _documents("documents.txt", octets)
    return any([_documents("documents.jsonl", octets), _requests(octets), _run(octets)])


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
    except UserError as refusal:
        words = str(refusal)
    assert words.startswith(f"{file}:"), words
    return None


def _documents(name, octets):
    found = _read(name, octets, documents.read_documents)
    if found is None:
        return False
    assert len({document.id for document in found}) == len(found) > 0
    for document in found:
        assert document.content.strip()
        _require_writable(document)
    return True


def _requests(octets):
    found = _read("requests.jsonl", octets, runs.read_requests)
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


def _require_writable(document):
    f"{document.id} {document.content}".encode()
