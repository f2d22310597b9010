"""Distances, transport, batches, alignments."""

import pickle
from contextlib import suppress
from functools import partial

import numpy as np
from scipy import sparse

import moverank as mr
from public_calls.inputs import EXACT, SMOOTH, TEXTS, bags, documents, each, query, random


def distances(folder):
    docs, asked, weights = documents(), query(), np.arange(1.0, 6.0)
    made = {
        "one distance": each(lambda measure: measure(asked, docs[3]), EXACT + SMOOTH),
        "distances": each(lambda measure: mr.distances(asked, docs, measure, num_threads=1), EXACT + SMOOTH),
        "distances, three threads": lambda: mr.distances(asked, docs, "wrd", weights=weights, num_threads=3),
        "pairwise": lambda: mr.pairwise(docs[:5], docs[5:9], "wmd", num_threads=2),
        "neighbours": lambda: (
            mr.neighbours(docs, measure="wmd", k=3, num_threads=2),
            mr.neighbours(bags(), k=3, radius=1.0, num_threads=2).to_csr(),
        ),
        "certified distances": each(lambda measure: repr(mr.certified_distances(asked, docs[:5], measure)), SMOOTH),
        "gradients": each(
            lambda measure: repr(mr.gradients(asked, docs[3], measure, weights)),
            [mr.wmd, mr.wrd, mr.wrd.replace(problem=mr.Sinkhorn(0.1, relative=False))],
        ),
        "measures": lambda: (
            mr.Measure("dot", "given", 2.0),
            mr.Measure.of("wrd").replace(capacity=3).similarity(np.ones(3)),
            repr(mr.wmd.replace(problem=mr.Sinkhorn().replace(epsilon=0.3))),
            (mr.emd.is_symmetric, mr.wrd.is_zero_between_equals, mr.maxsim.similarity_formula, mr.wmd.least_similarity),
        ),
        "paired distances": lambda: mr.paired_distances(docs[:5], docs[5:10], "wmd", num_threads=2),
        "pooled tokens": each(lambda measure: mr.pool_tokens(docs, 2, measure, num_threads=2).members(0), EXACT),
    }
    with suppress(ImportError):
        import torch

        import moverank.torch

        x = torch.tensor(asked, dtype=torch.float64, requires_grad=True)
        y = torch.tensor(docs[3].tokens, dtype=torch.float64)
        cost = torch.tensor(random().random((4, 5)), requires_grad=True)
        made["training"] = lambda: (
            moverank.torch.wmd(x, y).backward(),
            moverank.torch.sinkhorn([x, x], [y, y], epsilon=0.1).sum().backward(),
            moverank.torch.transport(cost).backward(),
        )
        scores, offsets = torch.ones(5, requires_grad=True), [0, 2, 5]
        made["learning"] = lambda: _told(_learned(folder))
        made["shares"] = lambda: [share(scores, offsets).sum().backward() for share in _shares()]
    return made


def _learned(folder):
    from moverank import learning

    learned = learning.fit(
        TEXTS,
        TEXTS,
        {q: [q] for q in range(len(TEXTS))},
        encoder=mr.encoders.WordVectors.default(),
        projection=learning.Projection(dim=16),
        training=learning.Training(epochs=1, batch=4),
        num_threads=1,
    )
    learned.save(folder / "learned.npz")
    return learning.Learned.load(folder / "learned.npz")


def _told(learned):
    return str(learned), repr(learned), learned.best, learned.before, learned.is_worse, learned.capacity


def _shares():
    from moverank import learning

    return learning.softmax, learning.sparsemax, partial(learning.gumbel_softmax, rng=random())


def transport(folder):
    rng = random()
    cost, costs = rng.random((8, 12)), rng.random((6, 8, 12)).astype(np.float32)
    a, b = rng.random(8), rng.random(12)

    def exact():
        solved = mr.transport(cost, a, b)
        return solved.value, solved.plan, solved.potentials, solved.gap, repr(solved)

    def stored():
        solved = mr.transport(sparse.csr_array(cost), a, b, capacity=2)
        return solved.value, solved.plan, solved.potentials, repr(solved)

    def batch():
        found = mr.transport_batch(costs, num_threads=2)
        return found.gap, len(found), repr(found)

    return {
        "transport": exact,
        "transport, limited and partial": lambda: mr.transport(cost.astype(np.float32), capacity=3, fraction=0.5),
        "transport, sparse": stored,
        "transport, entropic": lambda: repr(mr.transport(cost, a, b, epsilon=0.1)),
        "transport, unbalanced": lambda: mr.transport(cost, a, b, epsilon=mr.Sinkhorn(0.1, marginal_penalty=1.0)),
        "transport of a batch": batch,
        "transport of a batch, entropic": lambda: repr(mr.transport_batch(costs, epsilon=0.1, num_threads=2)),
    }


def batches(folder):
    docs, words = documents(), bags()
    weighted = mr.Sequences(list(docs), weights=[np.ones(len(x)) for x in docs])
    kept = [
        mr.wrd.replace(problem=mr.Sinkhorn(0.1)),
        mr.Sinkhorn(),
        docs.astype("int8"),
        weighted,
        mr.Clusters(3),
        mr.TokenCells(9),
    ]

    def sequences():
        made = mr.Sequences(list(docs))
        made = made + docs[::2] + docs[[3, 1]]
        return made[-1], made.lengths, made.nbytes, made.dim, repr(made), weighted[2:5].weights_of(1), weighted.weights

    def flat():
        made = mr.Sequences.from_flat(docs.tokens, docs.offsets)
        padded = mr.Sequences.from_padded(np.ones((3, 4, 8)), lengths=[4, 1, 2])
        return made.tokens, made.offsets, made.scales, made.dtype, padded

    def of_words():
        made = mr.Bags.from_flat(words.vectors, words.words, words.offsets, words.counts)
        made.weights_of(1, "uniform")
        return made.to_sequences(), made[2], made.lengths, made.nbytes, made.dim, repr(made)

    def elements():
        one, bag = weighted[1], words[1]
        told = one.mass("norm"), repr(one), np.asarray(one), one[:1], bag.vectors, bag.words, bag.counts, repr(bag)
        return told, bag.to_sequence(), bag.mass("uniform")

    return {
        "sequences": sequences,
        "elements of sequences and bags": elements,
        "sequences over flat arrays": flat,
        "types of tokens": each(
            lambda dtype: list(docs.astype(dtype)), ["float16", "bfloat16", "int8", "int4", "int2", "float32"]
        ),
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

    def unsure(measure):
        found = mr.align(asked, docs[4], measure, samples=5, temperature=0.2, seed=1)
        told = found.uncertainty
        return str(found), found.to_html(), found.to_csv(), found.to_latex(), found.to_dict(), str(told), told.moves

    def exported():
        aligned.to_csv(folder / "moves.csv")
        aligned.save(folder / "moves.svg")
        return aligned.to_csv(), aligned.to_latex(max_rows=2), aligned.to_dataframe(), aligned.to_dict()

    return {
        "alignments": each(align, EXACT + SMOOTH),
        "alignments with samples": each(unsure, EXACT + SMOOTH),
        "alignments in files": exported,
        "alignments as text and HTML": shown,
        "alignments as pictures": lambda: (small.heatmap(), small.flow()),
    }


def given_costs(folder):
    rng = random()
    counts = rng.integers(0, 3, (6, 5)) + np.eye(6, 5, dtype=int) + np.eye(6, 5, -1, dtype=int)
    made, costs = mr.Histograms(counts), np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))

    def histograms():
        found = mr.Histograms(sparse.csr_matrix(counts))
        told = found.bins, found.content, found.offsets, found.labels, found.n_bins, found.toarray(), repr(found)
        return told, list(found), found[1:3]

    return {
        "histograms": histograms,
        "distances under given costs": lambda: (
            mr.pairwise(made, costs=costs, num_threads=2),
            mr.distances(made[0], made, costs=costs),
        ),
    }


KINDS = (distances, transport, batches, alignments, given_costs)
