"""gensim's Word Mover's Distance under its names, with the same results, computed by an index.

Replace ``from gensim.similarities import WmdSimilarity`` by ``from moverank.integrations.gensim import WmdSimilarity``,
and ``wv.wmdistance(x, y)`` by ``wmdistance(wv, x, y)``. Costs are computed in float32, so the seventh digit may differ.
Different words with identical vectors have distance 0 here, but infinity in gensim. gensim itself is not imported.
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
    """Compute the Word Mover's Distance between two lists of words, as ``kv_model.wmdistance`` does.

    Parameters
    ----------
    kv_model : gensim.models.KeyedVectors, Word2Vec or FastText
        Word vectors, or a model with word vectors; any object with ``in`` and ``get_vector`` works.
    document1, document2 : sequence of str
        Words; those without a vector are ignored.
    norm : bool, default True
        Divide vectors by their norms; a zero vector is unchanged.

    Returns
    -------
    float
        The distance; infinite if a document has no word with a vector.
    """
    vectors = _keyed(kv_model)
    x, y = (_vectors(vectors, _known(vectors, document), norm) for document in (document1, document2))
    return wmd(x, y) if len(x) and len(y) else math.inf


class WmdSimilarity:
    """Similarity of lists of words to those of a corpus, 1 / (1 + WMD); ``index[query]``, as in gensim.

    Parameters
    ----------
    corpus : iterable of list of str
        The documents. They are kept, so this may be a generator.
    kv_model : gensim.models.KeyedVectors, Word2Vec or FastText
        Word vectors, or a model with word vectors.
    num_best : int, optional
        Return only this many best pairs ``(position, similarity)``; the index makes this fast. By default, all
        similarities are returned as an array.
    chunksize : int, default 256
        Ignored, as in gensim.
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
        #: Positions of the documents with at least one known word; all others have similarity 0.
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
        """Pickle the object, word vectors included, into one file."""
        with Path(fname).open("wb") as file:
            pickle.dump(self, file, protocol=pickle.HIGHEST_PROTOCOL)

    @classmethod
    def load(cls, fname: str | os.PathLike[str]) -> WmdSimilarity:
        """Read a file written by `save`. Like every pickle, the file can run code: load only files that you trust."""
        with Path(fname).open("rb") as file:
            loaded = pickle.load(file)
        if not isinstance(loaded, cls):
            raise TypeError(f"{os.fspath(fname)}: expected a pickled {cls.__name__}, got {type(loaded).__name__}")
        return loaded

    def __iter__(self) -> Iterator[Any]:
        return (self[list(document)] for document in self.corpus)

    def get_similarities(self, query: Any) -> NDArray[np.float64]:
        """Similarities to all documents, shape (len(corpus),); for several queries one row per query, as in gensim."""
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
    """Word vectors of a model, which has them as `wv`, or the word vectors themselves."""
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
        # gensim divides a zero vector by its norm, which gives NaN.
        vectors[row] = kv_model.get_vector(words[row], norm=False)
    return vectors
