"""Settings for the whole suite."""

import faiss
import hypothesis
import numpy as np
import pytest

import moverank as mr

# Problems are drawn the same way each time: a failure in CI is a failure at home. `quick` is what ./tests/run asks for.
hypothesis.settings.register_profile("moverank", deadline=None, derandomize=True, max_examples=60)
hypothesis.settings.register_profile("quick", deadline=None, derandomize=True, max_examples=5)
hypothesis.settings.load_profile("moverank")

#: How many slow tests each process of this run has left out.
_left_out = [0]


def pytest_report_header() -> str:
    return f"moverank {mr.__version__}, numpy {np.__version__}, faiss {faiss.__version__}, {mr.build_info()}"


def pytest_deselected(items: list[pytest.Item]) -> None:
    _left_out[0] += sum(item.get_closest_marker("slow") is not None for item in items)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # under pytest-xdist the process that reports collects nothing itself
        session.config.workeroutput["left_out"] = _left_out[0]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    _left_out.append(getattr(node, "workeroutput", {}).get("left_out", 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if max(_left_out) > 0:
        terminalreporter.write_line(f"left out: {max(_left_out)} slow tests (pytest -m slow)", yellow=True)
