"""Lines of the service's log: clients write none of their own, and send nothing that a terminal obeys."""

import json
import logging
import sys

import pytest

from serving import served

httpx = pytest.importorskip("httpx", reason="httpx is not installed")
for module in ("fastapi", "fastapi_offline", "uvicorn", "prometheus_client"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install 'moverank[serve]'")

from moverank.serve.logs import JsonLines, Lines  # noqa: E402

FORGED = "/x%0A200%20GET%20/forged%0d%1b%5b31m%c2%9b31m%e2%80%a8%00%7f"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_path_is_one_line_of_printable_characters(form):
    with served("--log", form) as own:
        assert httpx.get(own.url + FORGED).status_code == 404
        assert httpx.get(f"{own.url}/caf%C3%A9").status_code == 404
    told = [line for line in own.log if "forged" in line]
    assert len(told) == 1
    assert not own.log[own.log.index(told[0])].startswith("200 GET /forged")
    assert told[0].isprintable()
    if form == "json":
        assert json.loads(told[0])["path"] == "/x\n200 GET /forged\r\x1b[31m\x9b31m\u2028\0\x7f"
    else:
        assert told[0].startswith("404 GET /x\\n200 GET /forged\\r\\x1b[31m\\x9b31m\\u2028\\x00\\x7f ")
    assert any("/café" in line for line in own.log)


def test_an_error_has_indented_lines_of_printable_characters():
    try:
        raise ValueError("bad\n200 GET /forged\x1b[31m")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x", 1, "failed", (), sys.exc_info())
    record.facts = {"id": "a", "path": "/b\n200 GET /forged"}
    first, *rest = Lines().format(record).split("\n")
    assert first == "failed"
    assert len(rest) > 2
    assert all(line.startswith("  ") and line.isprintable() for line in rest)
    assert JsonLines().format(record).isprintable()
