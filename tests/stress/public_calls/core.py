"""Distances, transport, batches, alignments."""

import pickle
from contextlib import suppress

import numpy as np

import moverank as mr
from public_calls.inputs import EXACT, SMOOTH, TEXTS, bags, documents, each, query, random


def distances(folder):
    docs, asked, weights = documents(), query(), np.arange(1.0, 6.0)
    made = {
        "one distance": each(lambda measure: measure(asked, docs[3]), EXACT + SMOOTH),
        "distances": each(lambda measure: mr.distances(asked, docs, measure, num_threads=1), EXACT + SMOOTH),
        "distances, three threads": lambda: mr.distances(asked, docs, "wrd", weights=weights, num_threads=3),
        "pairwise": lambda: mr.pairwise(docs[:5], docs[5:9], "wmd", num_threads=2),
        "certified distances": each(lambda measure: repr(mr.certified_distances(asked, docs[:5], measure)), SMOOTH),
        "gradients": each(
            lambda measure: repr(mr.gradients(asked, docs[3], measure, weights)),
            [mr.wmd, mr.wrd, mr.wrd.replace(problem=mr.Sinkhorn(0.1, relative=False))],
        ),
        "measures": lambda: (
            mr.Measure("dot", "given", 2.0),
            mr.measure("wrd").replace(capacity=3).similarity(np.ones(3)),
            repr(mr.wmd.replace(problem=mr.Sinkhorn().replace(epsilon=0.3))),
        ),
    }
    with suppress(ImportError):
        import torch

        import moverank.torch

        x = torch.tensor(asked, dtype=torch.float64, requires_grad=True)
        y = torch.tensor(docs[3], dtype=torch.float64)
        cost = torch.tensor(random().random((4, 5)), requires_grad=True)
        made["training"] = lambda: (
            moverank.torch.wmd(x, y).backward(),
            moverank.torch.sinkhorn([x, x], [y, y], epsilon=0.1).sum().backward(),
            moverank.torch.transport(cost).backward(),
        )
    return made


def transport(folder):
    rng = random()
    cost, costs = rng.random((8, 12)), rng.random((6, 8, 12)).astype(np.float32)
    a, b = rng.random(8), rng.random(12)

    def exact():
        solved = mr.transport(cost, a, b)
        return solved.value, solved.plan, solved.potentials, solved.gap, repr(solved)

    def batch():
        found = mr.transport_batch(costs, num_threads=2)
        return found.gap, len(found), repr(found)

    return {
        "transport": exact,
        "transport, limited and partial": lambda: mr.transport(cost.astype(np.float32), capacity=3, fraction=0.5),
        "transport, entropic": lambda: repr(mr.transport(cost, a, b, epsilon=0.1)),
        "transport, unbalanced": lambda: mr.transport(cost, a, b, epsilon=mr.Sinkhorn(0.1, marginal_penalty=1.0)),
        "transport of a batch": batch,
        "transport of a batch, entropic": lambda: repr(mr.transport_batch(costs, epsilon=0.1, num_threads=2)),
    }


def batches(folder):
    docs, words = documents(), bags()
    weighted = mr.Sequences(list(docs), weights=[np.ones(len(x)) for x in docs])
    kept = [mr.wrd.replace(problem=mr.Sinkhorn(0.1)), mr.Sinkhorn(), docs.astype("int8"), weighted, mr.Clusters(3)]

    def sequences():
        made = mr.Sequences(list(docs))
        made = made + docs[::2] + docs[[3, 1]]
        return made[-1], made.lengths, made.nbytes, made.dim, repr(made), weighted[2:5].weights_of(1), weighted.weights

    def flat():
        made = mr.Sequences.from_flat(docs.tokens, docs.offsets)
        return made.tokens, made.offsets, made.scales, made.dtype

    def of_words():
        made = mr.Bags.from_flat(words.vectors, words.words, words.offsets, words.counts)
        made.weights_of(1, "uniform")
        return made.to_sequences(), made[2], made.lengths, made.nbytes, made.dim, repr(made)

    return {
        "sequences": sequences,
        "sequences over flat arrays": flat,
        "types of tokens": each(lambda dtype: list(docs.astype(dtype)), ["float16", "bfloat16", "int8", "float32"]),
        "bags": of_words,
        "pickling": each(lambda value: pickle.loads(pickle.dumps(value)), kept),
    }


def alignments(folder):
    docs, asked = documents(), query()
    aligned = mr.align(asked, docs[4]).named(TEXTS[2].split()[:5], [f"<{t}>" for t in range(len(docs[4]))])
    small = mr.align(asked[:1], docs[4][:1])

    def align(measure):
        found = mr.align(asked, docs[4], measure)
        return found.pairs, found.unmatched, found.source_names, found.target_names, repr(found)

    def shown():
        return aligned.table(max_rows=3), aligned.to_html(title="moves"), aligned._repr_html_(), str(aligned)

    return {
        "alignments": each(align, EXACT + SMOOTH),
        "alignments as text and HTML": shown,
        "alignments as pictures": lambda: (small.heatmap(), small.flow()),
    }


KINDS = (distances, transport, batches, alignments)
