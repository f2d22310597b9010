"""What is done to an index while the ground shakes, and how to tell that it stood."""

import json
import time
from pathlib import Path

import numpy as np

import moverank as mr
from moverank.index.disk import building
from moverank.readers import Batch
from moverank.spaces import Space, UnitNorm

DIM = 4
KINDS = ("Flat", None, "HNSW4", "tokens")
SPACE = Space([UnitNorm()])


def document(name, version):
    """Tokens of one version of a document: to be told from all others."""
    rng = np.random.default_rng([name, version])
    return rng.normal(size=(rng.integers(1, 5), DIM)).astype(np.float32)


class Journal:
    """What was begun and what was acknowledged, written where nothing fails."""

    def __init__(self, path):
        self._path = Path(path)

    def begin(self, name, after):
        self._append({"begin": name, "after": sorted(after.items())})

    def acknowledge(self):
        self._append({"acknowledged": True})

    def _append(self, line):
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def states(self):
        """The last acknowledged state (None: no index yet), the one that was under way (or None), and its name."""
        last, under_way, name = None, None, None
        for line in self._path.read_text().splitlines() if self._path.exists() else []:
            entry = json.loads(line)
            if "begin" in entry:
                under_way, name = {int(key): version for key, version in entry["after"]}, entry["begin"]
            else:
                last, under_way = under_way, None
        return last, under_way, name


class Workload:
    """Changes of an index in a folder, decided by a seed."""

    def __init__(self, folder, journal, seed):
        self.folder, self.journal = Path(folder), Journal(journal)
        self.rng = np.random.default_rng(seed)
        self.prefilter = KINDS[seed % len(KINDS)]
        self.state = {}
        self.index = None
        self._versions = 0
        building.SEGMENT_BYTES = 600  # several segments of these documents

    def steps(self, count):
        """Names of changes, the first a build."""
        names = ["add", "remove", "upsert", "compact", "open again", "overwrite"]
        return ["build", *self.rng.choice(names, size=count, p=[0.3, 0.2, 0.2, 0.12, 0.1, 0.08])]

    def plan(self, step):
        """What a step needs, and the state behind it."""
        state = dict(self.state)
        self._versions += 1
        version, changed = self._versions, []
        if step in ("build", "overwrite"):
            state = {}
            changed = self.rng.permutation(40)[:12].tolist()
        elif step == "add":
            changed = [n for n in self.rng.permutation(100).tolist() if n not in state][: self.rng.integers(1, 5)]
        elif state and step in ("upsert", "remove"):
            changed = [list(state)[i] for i in self.rng.permutation(len(state))[: self.rng.integers(1, 4)]]
        if step == "remove":
            for name in changed:
                del state[name]
        else:
            state |= dict.fromkeys(changed, version)
        return changed, version, state

    def do(self, step, changed, version):
        """Make the change, for whoever may lose it."""
        docs, payloads = [document(name, version) for name in changed], [{"v": version}] * len(changed)
        if step == "build":
            mr.Index.build_on_disk(
                self.folder,
                self.batches(changed, version),
                prefilter=self.prefilter,
                space=SPACE,
                resume=True,
                num_threads=1,
            )
            self.index = self.opened()
        elif step == "overwrite":
            self.index.close()
            built = mr.Index.build(docs, ids=changed, payloads=payloads, prefilter=self.prefilter, num_threads=1)
            built.save(self.folder, overwrite=True)
            self.index = self.opened()
        elif step == "open again":
            self.index.close()
            self.index = self.opened()
        elif step == "compact":
            self.index.compact()
        elif changed:
            if step == "add":
                self.index.add(docs, changed, payloads=payloads)
            elif step == "upsert":
                self.index.upsert(docs, changed, payloads=payloads)
            else:
                self.index.remove(changed)

    def batches(self, changed, version):
        for start in range(0, len(changed), 2):
            names = changed[start : start + 2]
            yield Batch([document(name, version) for name in names], names, [{"v": version}] * len(names))

    def opened(self):
        return mr.Index.open(self.folder, writable=True, num_threads=1)

    def run(self, count):
        """All steps; the journal says how far it came. Returns the seconds to the start of each, and to the end."""
        started = time.perf_counter()
        moments = []
        for step in self.steps(count):
            moments.append(time.perf_counter() - started)
            changed, version, after = self.plan(step)
            self.journal.begin(str(step), after)
            self.do(step, changed, version)
            self.journal.acknowledge()
            self.state = after
        return [*moments, time.perf_counter() - started]


def content(index):
    """Which documents an index has, by what was stored with them, each found with the tokens that it should have."""
    found = {name: index.payload(name)["v"] for name in index.ids.tolist()}
    queries = [document(name, version) for name, version in found.items()]
    answers = index.search_batch(queries, len(index), num_threads=1) if found else []
    for name, hits in zip(found, answers, strict=True):
        distance = dict(zip(hits.ids.tolist(), hits.distances.tolist(), strict=True))[name]
        assert abs(distance) < 1e-6, f"document {name} has other tokens than it was given"
    return found


def check(folder, journal):
    """Open what a crash left, and tell whether it is the state before or after what was under way."""
    before, after, step = Journal(journal).states()
    folder = Path(folder)
    allowed = [before] if after is None else [before, after]
    try:
        reader = mr.Index.open(folder, num_threads=1)
    except (mr.IndexNotFoundError, mr.IndexIncompleteError):
        assert None in allowed, f"{step}: the index is gone"
        return "none"
    reader.verify()
    found = content(reader)
    assert found in allowed, f"{step}: found {found}, expected one of {allowed}"
    with mr.Index.open(folder, writable=True, num_threads=1) as writer:
        # What was left over is gone, and the index can be changed.
        manifest = writer._require_store("test").manifest
        expected = {entry.file for entry in manifest.files} | {"manifest.json", "lock"}
        assert {entry.name for entry in folder.iterdir()} == expected
        writer.add([document(999, 1)], [999], payloads=[{"v": 1}])
        assert content(writer) == found | {999: 1}
    return "before" if found == before else "after"
