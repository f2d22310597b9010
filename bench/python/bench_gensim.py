"""Word Mover's Distance of a query to 1000 documents, against gensim's `wmdistance`, which people know.

    bench/one-core bench/python/bench_gensim.py

gensim looks words up, so every token gets a word of its own here; it builds a matrix over the words of both texts, and
calls POT for the transport.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from gensim.models import KeyedVectors

import moverank as mr
from harness import environment, number, table
from moverank.cli.timing import interleaved, medians
from problems import TokenSource

DOCUMENTS = 1000


def main() -> None:
    """Print the table."""
    rows = []
    for n, dim in ((16, 128), (32, 128)):
        source = TokenSource(dim, seed=n + dim)
        lengths = np.random.default_rng(dim).integers(8, 65, size=DOCUMENTS)
        query, arrays = source.sequence(n), [source.sequence(int(length)) for length in lengths]
        tokens = np.concatenate([query, *arrays])
        words = [f"w{t}" for t in range(len(tokens))]
        vectors = KeyedVectors(dim, count=len(tokens))
        vectors.add_vectors(words, tokens)
        starts = np.cumsum([n, *lengths])
        texts = [words[a:b] for a, b in pairwise(starts)]
        docs = mr.Sequences(arrays)

        def peer(vectors=vectors, query=words[:n], texts=texts):
            return [vectors.wmdistance(query, text, norm=False) for text in texts]

        error = float(np.abs(mr.distances(query, docs, "wmd") - peer()).max())
        if error > 1e-5:
            raise SystemExit(f"n={n}: distances differ from gensim's by {error:.1e}")

        def ours(query=query, docs=docs):
            return mr.distances(query, docs, "wmd", num_threads=1)

        cases = {"gensim": peer, "moverank": ours}
        t = medians(interleaved(cases, rounds=7), per=DOCUMENTS)
        rows.append(
            [f"n={n}, d={dim}", *map(number, t.values()), f"{t['gensim'] / t['moverank']:.0f}×", f"{error:.0e}"]
        )
    print(environment("gensim", "POT"), end="\n\n")
    print(table(["µs per document", "gensim `wmdistance`", "moverank", "ratio", "error"], rows))


if __name__ == "__main__":
    main()
