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
from moverank.encoders.encoded import EncodedText, EncodedTexts, Encoder, Progress, gathered, require_texts, shorten
from moverank.encoders.segmenters import SEGMENTERS, segmenter_for
from moverank.encoders.tokenize import Words, forms, pieces
from moverank.encoders.vector_files import read_table, save_table
from moverank.errors import NoTokensError
from moverank.vectors.bags import Bags
from moverank.vectors.encoder_identity import EncoderIdentity

_DEFAULT_TOKENIZER = Words()
_REQUIRED = "word with a vector"
#: Texts between two reports of progress.
_REPORT_EVERY = 1000
#: Rows of the table that are hashed at a time.
_ROWS_AT_ONCE = 1 << 12


@dataclass(frozen=True, eq=False)
class WordRows:
    """One text as rows of a table of word vectors, in the order of its words; `dropped` counts words without a row."""

    rows: NDArray[np.uint32]
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def nbytes(self) -> int:
        """Bytes of the rows, and at most of `counted`."""
        return 3 * int(self.rows.nbytes)

    @cached_property
    def counted(self) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Distinct rows, increasing, and how often each occurs."""
        rows, counts = np.unique(self.rows, return_counts=True)
        return rows, counts.astype(np.float32)

    def copy(self) -> WordRows:
        """Return the object itself: it shares no memory with others."""
        return self


class WordVectors:
    """Look words up in a table of vectors.

    By default, a text is split by `Words` into lower-case words. If a word is not in the table, other spellings are
    tried (composed and decomposed accents, Arabic and Hebrew without vowel points, "u.s." for "u.s"), then its parts
    between underscores, full stops, hyphens, apostrophes or scripts; parts without a vector are dropped. Repeated words
    are kept, so they have more weight.

    Parameters
    ----------
    words : sequence of str
        The vocabulary, without repeats.
    vectors : array_like, shape (len(words), d)
        One vector per word; converted to float32.
    tokenize : callable, optional
        Function that splits a text into a list of words: `Words` with other options, such as
        ``Words(segmenter="jieba")`` for Chinese, or any function of your own.

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
        tokenize: Callable[[str], Sequence[str]] = _DEFAULT_TOKENIZER,
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
        tokenize: Callable[[str], Sequence[str]] = _DEFAULT_TOKENIZER,
    ) -> WordVectors:
        """Load a table of word vectors in any of the common formats.

        Parameters
        ----------
        path : path
            A file in GloVe's text format, word2vec's text format (with two counts in the first line) or binary format,
            or fastText's .vec; an .npz archive with `words` and `vectors`; or a folder written by `save`, which is
            memory-mapped. The format is recognised by the beginning of the file.
        limit : int, optional
            Load only the first `limit` words; files list the most frequent words first.
        tokenize : callable, optional
            Function that splits a text into words, as for the class.

        Returns
        -------
        WordVectors
            If a word is listed twice, its first vector is used.

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        ValueError
            If the format is unknown, or the file is damaged; the message names file and line.
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
        """Write the table into a folder for `load`, which reads the words and memory-maps the vectors.

        Processes that load the same folder share the memory of the vectors.
        """
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
        """What distinguishes this encoder from others: digests of its words and vectors, and its tokenizer.

        Computed at the first access, which takes about a second per gigabyte of vectors.
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
        """Function that splits a text into words."""
        return self._tokenize

    def __repr__(self) -> str:
        own = "" if self._tokenize == _DEFAULT_TOKENIZER else f", tokenize={self._tokenize!r}"
        return f"WordVectors({len(self)} words, dim={self.dim}{own})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # Every process can load the bundled vectors itself, so they are not copied into the pickle.
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
            Leave out texts without a word that has a vector; they are missing from `EncodedTexts.kept`.
        progress : callable, optional
            Called with the number of texts encoded so far, every thousand texts.

        Returns
        -------
        EncodedTexts

        Raises
        ------
        TypeError
            If `texts` is one string, or an item is not a string.
        NoTokensError
            If a text has no word with a vector (unless skipped), or no text is left; the message names it.
        """
        texts = require_texts(texts)
        encoded = []
        for words, unknown in self._known(texts):
            encoded.append(EncodedText(words, self._vectors[[self._row_of[word] for word in words]], dropped=unknown))
            if progress is not None and len(encoded) % _REPORT_EVERY == 0:
                progress(len(encoded))
        return gathered(texts, encoded, skip_empty=skip_empty, what=_REQUIRED, advice=self._advice)

    def bags(self, texts: Sequence[str]) -> Bags:
        """Turn texts into bags of words over this table: the best input for an index of many texts.

        Parameters
        ----------
        texts : sequence of str
            The texts.

        Returns
        -------
        Bags
            One bag per text, with counts of words.

        Raises
        ------
        TypeError
            If `texts` is one string, or an item is not a string.
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
                    f"texts: text {t} has no {_REQUIRED}: {shorten(texts[t])!r}{self._advice(texts[t])}"
                )
        return Bags(self._vectors, [one.rows for one in found])

    def _rows_of(self, texts: Sequence[str]) -> list[WordRows]:
        """Rows of the table for the words of each text; none for a text without a known word."""
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
        """The word of each row."""
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
            raise TypeError("tokenize: expected it to return a list of words, got one string")
        return words

    def _looked_up(self, word: str) -> list[str]:
        """Words of the table for a word: the word itself, another spelling of it, or its parts; none if unknown."""
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
        """Words of the table that are not in Unicode's composed form (NFC), by that form.

        `forms` cannot try them all, as a letter with several marks has several decomposed spellings.
        """
        decomposed = (word for word in self._row_of if not word.isascii() and not is_normalized("NFC", word))
        return {normalize("NFC", word): word for word in decomposed}

    def _advice(self, text: str) -> str:
        """Advice for the error message if no word of a text is known."""
        words = list(self._cut(text))
        if not words:
            return (
                "; it has no letter or digit"
                if self._tokenize == _DEFAULT_TOKENIZER
                else "; tokenize finds no word in it"
            )
        shown = ", ".join(map(repr, words[:3])) + (", …" if len(words) > 3 else "")
        plain = isinstance(self._tokenize, Words) and self._tokenize.segmenter is None
        suited = segmenter_for(text)
        if plain and suited is not None:
            language = SEGMENTERS[suited].language
            return f"; split at spaces into {shown}: for {language} use tokenize=Words(segmenter={suited!r})"
        cased = next((c for word in text.split() for c in (word, word.title(), word.upper()) if c in self), None)
        if cased is not None:
            return f"; split into {shown}, but the table has {cased!r}: tokenize=Words(lower_case=False) keeps capitals"
        return f"; split into {shown}: pass tokenize= if the table needs other words"


@cache
def _bundled() -> WordVectors:
    packed = files("moverank.data").joinpath("word-vectors.npz").read_bytes()
    with np.load(io.BytesIO(packed), allow_pickle=False) as table:
        words = bytes(table["words"]).decode().split("\n")
        vectors = table["codes"].astype(np.float32) * table["scale"][:, None]
    bundled = WordVectors(words, vectors)
    bundled._name = "English vectors of the package"
    return bundled


def text_with_tokens(encoder: Encoder) -> str:
    """A text that an encoder finds tokens in, to learn from it what its vectors look like."""
    return encoder._words[0] if isinstance(encoder, WordVectors) else "a text"
