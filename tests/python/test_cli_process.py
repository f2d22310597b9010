"""The command line as a process: whatever its outputs and its signals are, it ends in one line and a status."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from moverank._support.wording import printable

pytestmark = pytest.mark.slow(reason="starts processes")

COMMAND = [sys.executable, "-m", "moverank"]


@pytest.fixture
def docs(tmp_path):
    path = tmp_path / "docs.tsv"
    path.write_text("a\tthe cat sat\nb\tcafé 猫 the dog\n", encoding="utf-8")
    return str(path)


def run(arguments, *, shell="", **options):
    command = " ".join(COMMAND + [f"'{argument}'" for argument in arguments])
    return subprocess.run(["/bin/sh", "-c", f"{command} {shell}"], capture_output=True, **options)


def one_line(done, status=2):
    error = done.stderr.decode()
    assert done.returncode == status, error
    assert error.count("\n") == 1, error
    return error


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("command", [["search", "cat", "--docs"], ["search", "cat", "--json", "--docs"]])
def test_a_full_output_is_an_error(docs, command):
    done = run([*command, docs], shell=">/dev/full")
    *told, error = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert error == "moverank: error: standard output: No space left on device"
    assert told == ["moverank: without a vector or mass: 0 words of the query, 2 of documents"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize(("option", "name"), [("--html", "a.html"), ("--heatmap", "a.png"), ("--flow", "a.pdf"),
                                              ("--flow", "a.svg"), ("--heatmap", "picture")])  # fmt: skip
def test_a_file_for_which_there_is_no_space_is_named(tmp_path, option, name):
    if option != "--html":
        pytest.importorskip("matplotlib")
    (tmp_path / name).symlink_to("/dev/full")
    error = one_line(run(["explain", "a cat", "a dog", option, name], cwd=tmp_path))
    assert error == f"moverank: error: {name}: No space left on device\n"


def test_a_closed_output_is_an_error(docs):
    assert one_line(run(["search", "cat", "--docs", docs], shell=">&-")) == (
        "moverank: error: standard output is closed\n"
    )


def test_messages_never_come_among_results(docs):
    done = run(["search", "cat", "--docs", docs, "--json"], shell="2>&-")
    assert json.loads(done.stdout)["hits"][0]["id"] == "a"
    assert run(["search", "zzqqx", "--docs", docs], shell="2>&-").stdout == b""


def test_a_closed_input_is_an_error():
    assert "standard input: is closed" in one_line(run(["search", "-", "--docs", "x"], shell="<&-"))


def test_characters_that_an_output_lacks_are_escaped(docs):
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = run(["search", "dog", "--docs", docs, "-k", "1"], env=environment)
    assert done.returncode == 0
    assert "café \\u732b the dog" in done.stdout.decode("latin-1")
    assert "\\u732b" in one_line(run(["search", "猫zzqqx", "--docs", docs], env=environment))


def test_runs_keep_their_ids_whatever_the_terminal_is(tmp_path):
    (tmp_path / "docs.tsv").write_text("猫\tthe cat\n", encoding="utf-8")
    (tmp_path / "queries.tsv").write_text("q\tcat\n")
    (tmp_path / "run.trec").write_text("q Q0 猫 1 2 x\n", encoding="utf-8")
    done = run(["rerank", "run.trec", "--queries", "queries.tsv", "--docs", "docs.tsv"], cwd=tmp_path,
               env={**os.environ, "PYTHONIOENCODING": "latin-1"})  # fmt: skip
    assert done.stdout.decode("utf-8").split()[:4] == ["q", "Q0", "猫", "1"]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["search", "TEXT", "--docs", "DOCS"], "query"),
        (["search", "cat", "--docs", "DOCS", "--text", "TEXT"], "--text"),
        (["search", "cat", "--index", "i", "--where", "TEXT"], "--where"),
        (["explain", "TEXT", "a cat"], "query"),
        (["explain", "a cat", "TEXT", "--json"], "document"),
        (["explain", "a", "b", "--model", "m", "--tokenizer", "t", "--query-prompt", "TEXT"], "--query-prompt"),
        (["index", "i", "DOCS", "--payload", "id", "--payload", "TEXT"], "--payload"),
        (["remove", "i", "a", "TEXT"], "ids"),
    ],
)
@pytest.mark.parametrize("text", ["caf\udce9 cat", "\udce9"])
def test_arguments_that_are_no_text_are_refused_as_in_files(docs, arguments, name, text):
    given = [{"TEXT": text, "DOCS": docs}.get(argument, argument) for argument in arguments]
    assert one_line(run(given)) == f"moverank: error: {name}: not UTF-8 text: {text!r}\n"


def test_paths_may_have_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "caf\udce9.tsv"
    path.write_text("a\tthe cat sat\n")
    assert json.loads(run(["search", "cat", "--docs", str(path), "--json"]).stdout)["hits"][0]["id"] == "a"


def test_terminals_are_not_told_what_to_do(tmp_path):
    path = tmp_path / "docs.jsonl"
    path.write_text(
        json.dumps({"id": "a\x1b[2J\n", "title": "t\x1b]0;x\x07\x9b\u202e", "text": "the \x1bcat\x1b"}) + "\n"
    )
    done = run(["search", "cat", "--docs", str(path), "--explain"])
    assert done.returncode == 0
    shown = done.stdout.decode()
    assert all(printable(line) == line for line in shown.split("\n"))
    assert "a\\x1b[2J\\n" in shown
    assert "\\x1b" in one_line(run(["search", "cat", "--docs", "\x1b[2J"]))
    report = run(["search", "cat", "--docs", str(path), "--json"]).stdout
    assert b"\x1b" not in report
    assert json.loads(report)["hits"][0]["id"] == "a\x1b[2J\n"


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2])
def test_ctrl_c_ends_loading_with_one_line(delay):
    """From the moment at which the package begins to be loaded, which it is told by a line of -v."""
    command = [sys.executable, "-v", "-m", "moverank", "demo"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "import 'moverank._support.launch'" in line:
                break
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "moverank: interrupted\n" in rest
    assert "Traceback" not in rest


def test_who_ignores_ctrl_c_goes_on_doing_so(docs):
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.argv = ['moverank']; import moverank; "
        "raise SystemExit(signal.getsignal(signal.SIGINT) != signal.SIG_IGN)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_programs_that_import_the_package_keep_their_signals():
    program = (
        "import signal, moverank.cli; raise SystemExit(signal.getsignal(signal.SIGINT) != signal.default_int_handler)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("tag", ["two words", "", " x", "a\tb", "a\x1bb"])
def test_a_tag_is_one_word(tag):
    assert "--tag: expected one word" in one_line(
        run(["rerank", "run", "--queries", "q", "--docs", "d", f"--tag={tag}"])
    )


def test_ids_with_control_characters_are_refused_in_runs(tmp_path):
    for name, content in (("q.tsv", "q\tcat\n"), ("d.tsv", "a\tcat\n"), ("run", "q Q0 a\x1b[2J 1 1 x\n")):
        (tmp_path / name).write_text(content)
    error = one_line(run(["rerank", "run", "--queries", "q.tsv", "--docs", "d.tsv"], cwd=tmp_path))
    assert "run:1: 'a\\x1b[2J' has a control character" in error
