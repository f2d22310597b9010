"""gensim's Word Mover's Distance under its names: the same numbers, from the index.

Replace ``from gensim.similarities import WmdSimilarity`` by ``from moverank.integrations.gensim import WmdSimilarity``,
and ``wv.wmdistance(x, y)`` by ``wmdistance(wv, x, y)``. Costs are in float32, so the seventh digit may differ;
different words with the very same vectors are at distance 0 here, where gensim gives infinity. gensim itself is not
imported.
"""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import as_list, text_list
from moverank.index.index import Index
from moverank.measures.measure import wmd
from moverank.vectors.bags import Bags


def wmdistance(kv_model: Any, document1: Sequence[str], document2: Sequence[str], norm: bool = True) -> float:
    """Word Mover's Distance between two lists of words, as ``kv_model.wmdistance`` gives it.

    Parameters
    ----------
    kv_model : gensim.models.KeyedVectors, Word2Vec or FastText
        The word vectors, or a model that has them; anything with ``in`` and ``get_vector``.
    document1, document2 : sequence of str
        Words; those without a vector do not count.
    norm : bool, default True
        Divide vectors by their lengths; a zero vector, which has none, stays as it is.

    Returns
    -------
    float
        Infinite if a document has no word with a vector.
    """
    vectors = _keyed(kv_model)
    x, y = (_vectors(vectors, _known(vectors, document), norm) for document in (document1, document2))
    return wmd(x, y) if len(x) and len(y) else math.inf


class WmdSimilarity:
    """Similarity of lists of words to those of a corpus, 1 / (1 + WMD); ``index[query]``, as in gensim.

    Parameters
    ----------
    corpus : iterable of list of str
        The documents; of a generator, which can be read once, they are kept.
    kv_model : gensim.models.KeyedVectors, Word2Vec or FastText
        The word vectors, or a model that has them.
    num_best : int, optional
        Return so many ``(position, similarity)`` only, the best; this is what the index makes fast. All similarities
        as an array without it.
    chunksize : int, default 256
        Without effect, as in gensim.
    """

    def __init__(
        self, corpus: Iterable[Sequence[str]], kv_model: Any, num_best: int | None = None, chunksize: int = 256
    ) -> None:
        self.corpus = [
            text_list(document, f"corpus: document {d}", "word", "words")
            for d, document in enumerate(as_list(corpus, "corpus", "lists of words"))
        ]
        self.wv = _keyed(kv_model)
        self.num_best = num_best
        self.chunksize = chunksize
        known = [_known(self.wv, document) for document in self.corpus]
        #: Positions of the documents that have a word with a vector; all others have similarity 0.
        self._places = np.array([p for p, words in enumerate(known) if words], dtype=np.int64)
        self._index: Index | None = None
        if len(self._places):
            vocabulary = {word: row for row, word in enumerate(dict.fromkeys(w for words in known for w in words))}
            table = _vectors(self.wv, list(vocabulary), norm=True)
            bags = Bags(table, [[vocabulary[word] for word in words] for words in known if words])
            self._index = Index.build(bags, wmd, ids=self._places)

    def __len__(self) -> int:
        return len(self.corpus)

    def __getitem__(self, query: Any) -> Any:
        queries = as_list(query, "query", "words")
        if not queries or isinstance(queries[0], str):
            return self._all(queries) if self.num_best is None else self._nearest(queries, self.num_best)
        if self.num_best is None:
            return self.get_similarities(queries)
        found = [self._nearest(one, self.num_best) for one in queries]
        return found[0] if len(found) == 1 else found  # as gensim does

    def save(self, fname: str | os.PathLike[str]) -> None:
        """Write everything, word vectors included, into one file by pickle."""
        with Path(fname).open("wb") as file:
            pickle.dump(self, file, protocol=pickle.HIGHEST_PROTOCOL)

    @classmethod
    def load(cls, fname: str | os.PathLike[str]) -> WmdSimilarity:
        """Read what `save` wrote. As all pickles, the file can run code: load only what you trust."""
        with Path(fname).open("rb") as file:
            found = pickle.load(file)
        if not isinstance(found, cls):
            raise TypeError(f"{os.fspath(fname)}: holds no {cls.__name__} but {type(found).__name__}")
        return found

    def __iter__(self) -> Iterator[Any]:
        return (self[list(document)] for document in self.corpus)

    def get_similarities(self, query: Any) -> NDArray[np.float64]:
        """Similarities to all documents, shape (len(corpus),); as in gensim a row per query if there are several."""
        queries = as_list(query, "query", "words")
        if not queries or isinstance(queries[0], str):
            return self._all(queries)
        found = np.array([self._all(one) for one in queries])
        return found[0] if len(found) == 1 else found

    def _all(self, query: Sequence[str]) -> NDArray[np.float64]:
        found = np.zeros(len(self.corpus))
        for place, similarity in self._nearest(query, len(self.corpus)):
            found[place] = similarity
        return found

    def _nearest(self, query: Sequence[str], k: int) -> list[tuple[int, float]]:
        tokens = _vectors(self.wv, _known(self.wv, query), norm=True)
        if self._index is None or not len(tokens):
            return []
        hits = self._index.search(tokens, k)
        return list(zip(hits.ids.tolist(), hits.similarities.tolist(), strict=True))


def _keyed(model: Any) -> Any:
    """Word vectors themselves, of a model that has them as `wv`."""
    return getattr(model, "wv", model)


def _known(kv_model: Any, document: Iterable[str]) -> list[str]:
    return [word for word in text_list(document, "document", "word", "words") if word in kv_model]


def _vectors(kv_model: Any, words: Sequence[str], norm: bool) -> NDArray[np.float32]:
    if not words:
        return np.zeros((0, 1), dtype=np.float32)
    with np.errstate(invalid="ignore"):
        vectors = np.array([kv_model.get_vector(word, norm=norm) for word in words], dtype=np.float32)
    undefined = np.isnan(vectors).any(axis=1)
    for row in np.flatnonzero(undefined).tolist():
        # gensim divides a zero vector by its length, and gets NaN.
        vectors[row] = kv_model.get_vector(words[row], norm=False)
    return vectors
