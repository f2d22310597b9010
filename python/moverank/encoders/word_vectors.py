"""Static word vectors: one vector per word, whatever its context."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import chain
from typing import Any, SupportsIndex
from unicodedata import is_normalized, normalize

import numpy as np
from numpy.typing import NDArray

from moverank._support.validate import require_callable, text_list, tokens_array, whole_number
from moverank.encoders.digests import digest, digest_of_words, name_of, tokenizer_options
from moverank.encoders.encoded import EncodedText, EncodedTexts, Progress, gathered, require_texts, shorten
from moverank.encoders.segmenters import SEGMENTERS, segmenter_for
from moverank.encoders.tokenize import Words, forms, pieces
from moverank.encoders.vector_files import read_table, save_table
from moverank.errors import NoTokensError
from moverank.vectors.bags import Bags
from moverank.vectors.encoder_identity import EncoderIdentity

_PLAIN = Words()
_LOOKED_FOR = "word with a vector"
#: Texts between two reports of progress.
_REPORTED = 1000
#: Rows of a table whose digest is taken at a time.
_ROWS_AT_ONCE = 1 << 12


@dataclass(frozen=True, eq=False)
class WordRows:
    """One text as rows of a table of word vectors, in the order of its words, and how many words have none."""

    rows: NDArray[np.uint32]
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return int(self.rows.nbytes)

    def copy(self) -> WordRows:
        """Itself: it shares no memory."""
        return self


class WordVectors:
    """Look words up in a table of vectors.

    A text is cut into words by `Words`, lower-cased, if nothing else is said. A word that the table does not have is
    looked for in other ways to write it (composed and decomposed accents, Arabic and Hebrew without vowel points,
    "u.s." for "u.s"), then in its parts, between underscores, full stops, hyphens, apostrophes or scripts; parts that
    have no vector are dropped. Repeated words stay repeated, so that they weigh more.

    Parameters
    ----------
    words : sequence of str
        The vocabulary, without repeats.
    vectors : array_like, shape (len(words), d)
        Their vectors; converted to float32.
    tokenize : callable, optional
        What cuts a text into words: `Words` with other options, such as ``Words(segmenter="jieba")`` for Chinese, or
        anything that takes a text and returns its words.

    Raises
    ------
    TypeError, ValueError
        If the vectors are not finite real numbers, one row per word, or a word is given twice.

    Examples
    --------
    >>> encoder = WordVectors(["cat", "sat"], [[1.0, 0.0], [0.0, 1.0]])
    >>> encoder.encode(["The cat sat."]).tokens
    [['cat', 'sat']]
    """

    def __init__(
        self,
        words: Sequence[str],
        vectors: NDArray[np.floating] | Sequence[Sequence[float]],
        *,
        tokenize: Callable[[str], Sequence[str]] = _PLAIN,
    ) -> None:
        self._vectors = tokens_array(vectors, "vectors")
        listed = text_list(words, "words", "word", "words")
        if len(listed) != len(self._vectors):
            raise ValueError(f"vectors: expected {len(listed)} rows, one per word, got {len(self._vectors)}")
        self._tokenize = require_callable(tokenize, "tokenize")
        self._row_of = {word: row for row, word in enumerate(listed)}
        if len(self._row_of) < len(listed):
            raise ValueError("words: a word is given more than once")
        self._name: str | None = None

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        limit: int | None = None,
        tokenize: Callable[[str], Sequence[str]] = _PLAIN,
    ) -> WordVectors:
        """Load a table of word vectors, in any of the formats in which they are found.

        Parameters
        ----------
        path : path
            GloVe's text, word2vec's text (a first line with two counts) or binary, fastText's .vec; an .npz archive
            with `words` and `vectors`; or a folder that `save` wrote, which is mapped, not read. What a file is, is
            seen from its beginning.
        limit : int, optional
            Load so many words only, the first: files list the most frequent ones first.
        tokenize : callable, optional
            What cuts a text into words, as for the class.

        Returns
        -------
        WordVectors
            Of words that are listed twice, the first counts.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If its format is not known, or it is damaged; the message names file and line.
        """
        if limit is not None:
            whole_number(limit, "limit", least=1)
        words, vectors = read_table(path, limit)
        if len(set(words)) < len(words):
            first = {word: row for row, word in reversed(list(enumerate(words)))}
            kept = np.sort(np.fromiter(first.values(), dtype=np.int64, count=len(first)))
            words, vectors = [words[row] for row in kept.tolist()], vectors[kept]
        try:
            loaded = cls(words, vectors, tokenize=tokenize)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None
        loaded._name = name_of(path)
        return loaded

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the table into a folder that `load` maps: it opens in the time of its words, and processes share it."""
        save_table(folder, list(self._row_of), self._vectors)

    @classmethod
    def default(cls) -> WordVectors:
        """Load the English vectors that come with the package: 128 dimensions, distilled from MiniLM."""
        return _bundled()

    @property
    def dim(self) -> int:
        """Dimension of the vectors."""
        return int(self._vectors.shape[1])

    @cached_property
    def identity(self) -> EncoderIdentity:
        """What tells it from other encoders: its words and vectors, and how it cuts texts. Read when first asked for.

        It takes a second for a gigabyte of vectors.
        """
        words = digest_of_words(self._row_of)
        starts = range(0, len(self._vectors), _ROWS_AT_ONCE)
        rows = (np.ascontiguousarray(self._vectors[s : s + _ROWS_AT_ONCE], dtype="<f4").data for s in starts)
        learnt = digest(chain([words.encode()], rows))
        return EncoderIdentity("WordVectors", self._name, self.dim, learnt, tokenizer_options(self._tokenize))

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, word: str) -> bool:
        return word in self._row_of

    @property
    def tokenize(self) -> Callable[[str], Sequence[str]]:
        """What cuts a text into words."""
        return self._tokenize

    def __repr__(self) -> str:
        own = "" if self._tokenize == _PLAIN else f", tokenize={self._tokenize!r}"
        return f"WordVectors({len(self)} words, dim={self.dim}{own})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # The vectors that come with the package are there in any process.
        if _bundled.cache_info().currsize and self is _bundled():
            return _bundled, ()
        return super().__reduce_ex__(protocol)

    def encode(
        self, texts: Sequence[str], *, skip_empty: bool = False, progress: Progress | None = None
    ) -> EncodedTexts:
        """Turn texts into sequences of word vectors.

        Parameters
        ----------
        texts : sequence of str
            The texts.
        skip_empty : bool, default False
            Leave out texts of which no word has a vector; they are missing from `EncodedTexts.kept`.
        progress : callable, optional
            Called with the number of texts so far, now and then.

        Returns
        -------
        EncodedTexts

        Raises
        ------
        TypeError
            If `texts` is one string, or holds something else than strings.
        NoTokensError
            If a text has no word with a vector (unless skipped), or no text is left; the message names it.
        """
        texts = require_texts(texts)
        encoded = []
        for words, unknown in self._known(texts):
            encoded.append(EncodedText(words, self._vectors[[self._row_of[word] for word in words]], dropped=unknown))
            if progress is not None and len(encoded) % _REPORTED == 0:
                progress(len(encoded))
        return gathered(texts, encoded, skip_empty=skip_empty, what=_LOOKED_FOR, advice=self._advice)

    def bags(self, texts: Sequence[str]) -> Bags:
        """Turn texts into bags over this table: what an index of many texts is best made of.

        Parameters
        ----------
        texts : sequence of str
            The texts.

        Returns
        -------
        Bags
            One bag a text, words counted.

        Raises
        ------
        TypeError
            If `texts` is one string, or holds something else than strings.
        NoTokensError
            If a text has no word with a vector; the message names it.

        Examples
        --------
        >>> encoder = WordVectors(["cat", "sat"], [[1.0, 0.0], [0.0, 1.0]])
        >>> encoder.bags(["The cat sat.", "Cat, cat!"])
        Bags(2 documents, 3 words, vocabulary of 2, dim=2, counted)
        """
        texts = require_texts(texts)
        if not texts:
            raise ValueError("texts: expected at least one, got none")
        found = self._rows_of(texts)
        for t, one in enumerate(found):
            if not len(one):
                raise NoTokensError(
                    f"texts: text {t} has no {_LOOKED_FOR}: {shorten(texts[t])!r}{self._advice(texts[t])}"
                )
        return Bags(self._vectors, [one.rows for one in found])

    def _rows_of(self, texts: Sequence[str]) -> list[WordRows]:
        """Rows of the table that the words of each text have; texts without a known word have none."""
        return [
            WordRows(np.array([self._row_of[word] for word in words], dtype=np.uint32), unknown)
            for words, unknown in self._known(require_texts(texts))
        ]

    def _vectors_of(self, rows: NDArray[Any]) -> NDArray[np.floating]:
        """Vectors of rows of the table, shape (n, d)."""
        found: NDArray[np.floating] = self._vectors[rows]
        return found

    def _names_of(self, rows: NDArray[Any]) -> list[str]:
        """Words of rows of the table."""
        return [self._words[row] for row in rows.tolist()]

    @cached_property
    def _words(self) -> list[str]:
        """Words by their rows."""
        return list(self._row_of)

    def _known(self, texts: Iterable[str]) -> Iterator[tuple[list[str], int]]:
        """Words of each text that have a vector, and how many do not."""
        for text in texts:
            known: list[str] = []
            unknown = 0
            for word in self._cut(text):
                found = self._looked_up(word)
                known.extend(found)
                unknown += not found
            yield known, unknown

    def _cut(self, text: str) -> Sequence[str]:
        words = self._tokenize(text)
        if isinstance(words, str):
            raise TypeError("tokenize: expected to get a list of words of it, got one string")
        return words

    def _looked_up(self, word: str) -> list[str]:
        """Words of the table that stand for a word: itself, another way to write it, or those of its parts."""
        if word in self._row_of:
            return [word]
        other = next((form for form in forms(word) if form in self._row_of), None)
        if other is None and not word.isascii():
            other = self._composed.get(word)
        if other is not None:
            return [other]
        return [own for part in pieces(word) for own in self._looked_up(part)]

    @cached_property
    def _composed(self) -> dict[str, str]:
        """Words of the table that are not in Unicode's composed form, by it: some letters have several such forms."""
        odd = (word for word in self._row_of if not word.isascii() and not is_normalized("NFC", word))
        return {normalize("NFC", word): word for word in odd}

    def _advice(self, text: str) -> str:
        """What may help where no word of a text is known."""
        words = list(self._cut(text))
        if not words:
            return "; it has no letter or digit" if self._tokenize == _PLAIN else "; tokenize finds no word in it"
        shown = ", ".join(map(repr, words[:3])) + (", …" if len(words) > 3 else "")
        plain = isinstance(self._tokenize, Words) and self._tokenize.segmenter is None
        suited = segmenter_for(text)
        if plain and suited is not None:
            language = SEGMENTERS[suited].language
            return f"; cut at spaces into {shown}: for {language} give tokenize=Words(segmenter={suited!r})"
        cased = next((c for word in text.split() for c in (word, word.title(), word.upper()) if c in self), None)
        if cased is not None:
            return f"; cut into {shown}, but the table has {cased!r}: tokenize=Words(lower_case=False) keeps capitals"
        return f"; cut into {shown}: tokenize= says how texts are cut, if not as the table's words are"


@cache
def _bundled() -> WordVectors:
    packed = files("moverank.data").joinpath("word-vectors.npz").read_bytes()
    with np.load(io.BytesIO(packed), allow_pickle=False) as table:
        words = bytes(table["words"]).decode().split("\n")
        vectors = table["codes"].astype(np.float32) * table["scale"][:, None]
    bundled = WordVectors(words, vectors)
    bundled._name = "English vectors of the package"
    return bundled
