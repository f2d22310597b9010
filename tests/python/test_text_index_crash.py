"""A process that is killed while it changes a text index: all of it is as before the change, or as after it."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest

import moverank as mr

pytest.importorskip("tantivy", reason="tantivy is not installed")

#: Changes texts in a folder, for ever, and says before each change what it is, and after it that it was made.
WRITER = """
import json, random, sys
import moverank as mr

folder, seed = sys.argv[1], int(sys.argv[2])
draw = random.Random(seed)
words = "cat dog bird fish horse cow tree river stone road bank money rain sun art".split()

def say(*what):
    print(json.dumps(what), flush=True)

with mr.TextIndex.open(folder, writable=True) as index:
    for n in range(10**6):
        there = list(index)
        step = draw.choice(["add", "add", "upsert", "remove", "compact"])
        ids = [f"{seed}-{n}-{m}" for m in range(draw.randint(1, 4))]
        if step in ("upsert", "remove") and there:
            ids = draw.sample(there, min(len(there), draw.randint(1, 3)))
        elif step != "compact":
            step = "add"
        texts = [" ".join(draw.choices(words, k=draw.randint(3, 20))) for _ in ids]
        say(step, ids, texts)
        if step == "compact":
            index.compact()
        elif step == "remove":
            index.remove(ids)
        else:
            getattr(index, step)(texts, ids, payloads=[{"text": text} for text in texts])
        say("done")
"""


def after(state, step, ids, texts):
    """What is in the index after a change."""
    if step in ("add", "upsert"):
        return {**state, **dict(zip(ids, texts, strict=True))}
    return state if step == "compact" else {id: text for id, text in state.items() if id not in ids}


@pytest.mark.slow(reason="kills processes at random moments")
@pytest.mark.parametrize("passages", [None, mr.Passages(4, 1)])
def test_a_killed_writer_leaves_the_state_before_a_change_or_after_it(tmp_path, passages):
    folder = tmp_path / "notes"
    mr.TextIndex.create(folder, passages=passages).close()
    state, draw, changes = {}, random.Random(0), 0
    for seed in range(8):
        command = [sys.executable, "-c", WRITER, str(folder), str(seed)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
            told = [json.loads(writer.stdout.readline())]
            time.sleep(draw.uniform(0.05, 0.6))
            writer.send_signal(signal.SIGKILL)
            told += [json.loads(line) for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
            assert not writer.stderr.read()
        under_way = None
        for line in told:
            if line == ["done"]:
                state, under_way, changes = after(state, *under_way), None, changes + 1
            else:
                under_way = line
        with mr.TextIndex.open(folder, writable=seed % 2 == 1) as index:
            index.verify()
            found = {id: index.text(id) for id in index}
            assert found in (state, state if under_way is None else after(state, *under_way))
            state = found
            for id in draw.sample(sorted(found), min(len(found), 3)):
                assert index.payload(id) == {"text": found[id]}
                hits = index.search(found[id], len(found), fusion=0)
                assert id in hits.ids
    assert changes > 20
