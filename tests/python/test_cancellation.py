"""Ctrl-C ends every long call before its time, and leaves what it worked on as it was or as it should be.

How soon it does is measured by tests/stress/cancellation.py.
"""

import cancellation
import pytest


@pytest.mark.slow(reason="many long calls, each several times")
def test_ctrl_c_stops_every_long_call_and_leaves_things_whole(tmp_path):
    with cancellation.Interrupter() as interrupter:
        found = {
            operation.name: cancellation.interrupt(operation, interrupter, points=3)
            for operation in cancellation.operations(tmp_path, scale=0.3)
        }
    assert [name for name, finding in found.items() if not finding.stopped] == []
    assert [name for name, finding in found.items() if not finding.sound] == []


@pytest.mark.slow(reason="times Ctrl-C")
def test_a_batch_of_searches_does_not_go_on_behind_ctrl_c(tmp_path):
    """Its searches run on threads that no signal reaches."""
    batch = next(o for o in cancellation.operations(tmp_path, scale=0.3) if o.name == "search batch")
    batch.call()
    takes = cancellation.processor_seconds(batch.call)
    with cancellation.Interrupter() as interrupter:
        overrun = interrupter.overrun(batch.call, 0.1 * takes)
    assert overrun is not None
    assert overrun < 0.6 * takes
