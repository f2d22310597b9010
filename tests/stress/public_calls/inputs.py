"""What public calls are made with: little of everything."""

from collections.abc import Callable

import numpy as np

import moverank as mr
from moverank import encoders

Call = Callable[[], object]

DIM = 8
EXACT = [mr.wmd, mr.wrd, mr.wrd.replace(capacity=4), mr.maxsim, mr.rwmd, mr.wmd.replace(fraction=0.5)]
SMOOTH = [
    mr.wmd.replace(problem=mr.Sinkhorn(0.1)),
    mr.wrd.replace(problem=mr.Sinkhorn(0.05, debiased=True)),
    mr.wmd.replace(problem=mr.Sinkhorn(0.2, marginal_penalty=1.0)),
]
TEXTS = ["A man plays music outside.", "Shares fell on Tuesday.", "The dog sleeps on a sofa.", "State-of-the-art art."]


def random(seed=0):
    return np.random.default_rng(seed)


def documents(count=40):
    rng = random(1)
    return mr.Sequences([rng.normal(size=(rng.integers(1, 9), DIM)) for _ in range(count)])


def query():
    return random(2).normal(size=(5, DIM)).astype(np.float32)


def bags(count=40):
    rng = random(3)
    table = rng.normal(size=(60, DIM)).astype(np.float32)
    return mr.Bags(table, [rng.permutation(60)[:5].tolist() for _ in range(count)])


def word_vectors():
    words = sorted({word for text in TEXTS for word in encoders.Words()(text)})
    return encoders.WordVectors(words, random(4).normal(size=(len(words), DIM)))


def each(function, values):
    """A call of a function for each value."""

    def call():
        for value in values:
            function(value)

    return call
