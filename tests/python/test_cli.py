"""The command line, end to end."""

import io
import itertools
import json
import subprocess
import sys

import pytest

from moverank.cli import bench, main
from moverank.cli.progress import Bar

DOCUMENTS = [
    {"id": "fruit", "title": "Fruit", "text": "Apples and pears grow on trees in the garden."},
    {"id": "rocket", "title": "Rockets", "text": "The rocket was launched into orbit around the moon."},
    {"id": "bank", "text": "The bank raised its interest rate on loans."},
]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "docs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in DOCUMENTS) + "\n\n", encoding="utf-8")
    return path


def test_the_demo_runs_from_a_cold_start():
    done = subprocess.run(
        [sys.executable, "-m", "moverank", "demo"], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr == ""
    assert done.stdout.count("\nquery: ") == 8
    assert done.stdout.count("exact: ") == 8
    assert "query token" in done.stdout
    assert "relevant abstracts among the first 5 of each query" in done.stdout


def test_the_demo_reports_in_json(capsys):
    assert main(["demo", "--json", "-k", "3", "--measure", "wmd", "--threads", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report) == 8
    assert all(len(answer["hits"]) == 3 and answer["measure"] == "wmd" for answer in report)
    moves = report[0]["alignment_of_best"]["moves"]
    assert sum(m["contribution"] for m in moves) == pytest.approx(report[0]["hits"][0]["distance"], abs=1e-9)


@pytest.mark.slow(reason="runs the benchmark")
def test_the_benchmark_compares_answers_and_times(capsys, monkeypatch):
    monkeypatch.setattr(bench, "DOCUMENTS", 10)
    assert main(["bench", "--seconds", "0.1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [set(r["microseconds"]) >= {"1 thread"} for r in report["results"]] == [True] * 6
    assert all(0 <= r["difference"] < 1e-5 for r in report["results"])


def test_the_benchmark_refuses_to_take_no_time(capsys):
    assert main(["bench", "--seconds", "-1"]) == 2
    assert "--seconds must be positive, got -1.0" in capsys.readouterr().err


@pytest.mark.slow(reason="runs the benchmark")
def test_the_benchmark_does_without_pot_and_says_so(capsys, monkeypatch):
    monkeypatch.setattr(bench, "DOCUMENTS", 10)
    monkeypatch.setitem(sys.modules, "ot", None)
    assert main(["bench", "--seconds", "0.1"]) == 0
    out = capsys.readouterr().out
    assert "POT is not installed: pip install POT" in out
    assert "exact solve, 128 x 128, cost given\n  1 thread " in out
    assert out.count("times faster than") + out.count("times SLOWER than") == 2


def test_search_ranks_the_users_documents(corpus, capsys):
    assert main(["search", "--docs", str(corpus), "a spacecraft flew to the moon", "-k", "2", "--explain"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[1].split()[2:] == ["rocket", "Rockets"]
    assert "why is rocket the best hit?" in out
    assert lines[-1].startswith("distance")


def test_search_reports_in_json(corpus, capsys):
    assert main(["search", "--docs", str(corpus), "loan interest", "--json", "--explain", "--capacity", "inf"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["hits"][0]["id"] == "bank"
    assert report["certificate"]["exact"]
    assert report["measure"] == "wrd(capacity=inf)"
    assert report["stats"]["documents"] == 3
    assert report["alignment_of_best"]


def test_search_reads_text_files_and_folders(tmp_path, capsys):
    lines = tmp_path / "lines.txt"
    lines.write_text("apples and pears\n\nrockets and moons\n", encoding="utf-8-sig")
    assert main(["search", "--docs", str(lines), "moon", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"][0]["id"] == "3"
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("apples and pears", encoding="utf-8")
    (folder / "sub" / "b.md").write_text("rockets\nand moons", encoding="utf-8")
    (folder / "ignored.bin").write_bytes(b"\xff")
    assert main(["search", "--docs", str(folder), "moon", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [hit["id"] for hit in report["hits"]] == ["sub/b.md", "a.txt"]


def test_documents_without_a_known_word_are_left_out_and_counted(tmp_path, capsys):
    path = tmp_path / "d.txt"
    path.write_text("xqzzy\nthe moon\n", encoding="utf-8")
    assert main(["search", "--docs", str(path), "moon"]) == 0
    assert "1 documents without a known word were left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no documents"),
        (b'{"text": "moon"}\n{"name": "x"}\n', "docs.jsonl:2: has no field 'text' for the text; its fields are 'name'"),
        (b'{"text": "moon"}\nnot json\n', "docs.jsonl:2: not JSON"),
        (b"[1]\n", "docs.jsonl, element 1: expected a JSON object"),
        (b'{"text": 3}\n', "docs.jsonl:1: text: expected a string, got int"),
        (b'{"text": "moon"}\n\xff\xfe\n', "docs.jsonl:2: not UTF-8 text"),
        (b'{"text": "moon"}\n{"text": "moon \\ud83d"}\n', "docs.jsonl:2: has half of a surrogate pair"),
        (b'{"text": "moon", "n": ' + b"1" * 5000 + b"}\n", "docs.jsonl:1: not JSON: a number with too many digits"),
        (b'{"text": "moon", "n": ' + b"[" * 9999 + b"\n", "docs.jsonl:1: not JSON: nested too deep"),
        (b'{"id": 1, "text": "moon"}\n{"id": "1", "text": "sun"}\n', "id '1' is given to more than one document"),
        (b'{"text": "xqzzy"}\n', "no document has a word with a vector"),
    ],
)
def test_bad_documents_are_refused_with_their_place(tmp_path, capsys, content, message):
    path = tmp_path / "docs.jsonl"
    path.write_bytes(content)
    assert main(["search", "--docs", str(path), "moon"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("moverank: error: ")
    assert message in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["xqzzy"], "query: no word of 'xqzzy' has a vector"),
        (["moon", "-k", "0"], "-k must be at least 1, got 0"),
        (["moon", "--threads", "0"], "--threads must be at least 1, got 0"),
        (["moon", "--measure", "emdd"], "unknown measure 'emdd'; texts are compared by wmd, wrd, maxsim, rwmd\n"),
        (["moon", "--measure", "emd"], "--measure emd: its costs are given; texts are compared by wmd, wrd, "),
        (["moon", "--capacity", "0.5"], "capacity must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(corpus, capsys, arguments, message):
    assert main(["search", "--docs", str(corpus), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_missing_paths_and_empty_folders_are_refused(tmp_path, capsys):
    assert main(["search", "--docs", str(tmp_path / "none.jsonl"), "moon"]) == 2
    assert "none.jsonl: No such file or directory" in capsys.readouterr().err
    assert main(["search", "--docs", str(tmp_path), "moon"]) == 2
    assert "no .txt, .text, .md" in capsys.readouterr().err


def test_info_and_version(capsys):
    assert main(["info"]) == 0
    assert "default encoder" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0


def test_a_closed_pipe_is_no_error():
    command = f"{sys.executable} -m moverank demo | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True, timeout=120)
    assert done.stderr == ""


def test_ctrl_c_ends_a_command_with_one_line():
    program = (
        "import signal; from moverank.cli import main; "
        "signal.signal(signal.SIGALRM, signal.default_int_handler); signal.setitimer(signal.ITIMER_REAL, 0.3); "
        "raise SystemExit(main(['bench', '--seconds', '600']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "moverank: interrupted"


def test_progress_is_one_line_on_a_terminal_and_nothing_elsewhere(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    clock = itertools.count(0.0, 0.25)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    for screen, total, quiet, shown in (
        (Terminal(), 9, False, "\r           4 of 9 documents, 16/s \n"),
        (Terminal(), None, False, "\r           4 documents, 16/s \n"),
        (Terminal(), 9, True, ""),
        (io.StringIO(), 9, False, ""),
    ):
        monkeypatch.setattr(sys, "stderr", screen)
        bar = Bar("documents", total, quiet=quiet)
        bar.show(4)
        bar.close()
        assert screen.getvalue() == shown
