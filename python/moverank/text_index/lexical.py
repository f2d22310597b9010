"""Lexical retrieval: which texts share rare words with a query, by BM25. Tantivy keeps the inverted lists.

Tantivy's files never change, so each state of a `TextIndex` has its own set of them, attached to the index under its
manifest. A change is made in a folder of its own, which begins with links to the files of the state before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moverank._support.optional import optional
from moverank.errors import IndexFormatError
from moverank.index.disk.files import writing
from moverank.index.parts.attachment import AttachedFile
from moverank.text_index.term_statistics import Occurrences, TermStatistics

#: Languages whose words are reduced to their stems. Stop words stay: BM25 hardly counts them, and on SciFact's training
#: queries to leave them out ranked no better.
LANGUAGES = (
    "arabic", "danish", "dutch", "english", "finnish", "french", "german", "greek", "hungarian", "italian", "norwegian",
    "portuguese", "romanian", "russian", "spanish", "swedish", "tamil", "turkish",
)  # fmt: skip

#: How texts are split into terms: a language, words as they are, or pairs of characters for scripts without spaces.
ANALYZERS = (*LANGUAGES, "words", "characters")

#: Words of more bytes are no words; tantivy leaves out terms of more than 65 530.
LONGEST_WORD = 40
LONGEST_ID = 60_000

#: Memory of a change; tantivy needs 15 MB at least.
BUFFER_BYTES = 64_000_000

#: The file that says which segments make a state.
META = "meta.json"

#: Beginning of the names of folders for a while, and after how many seconds one has been left behind: they live for
#: less than a minute, unless the process is killed.
PREFIX = "moverank-lexical-"
LEFT_BEHIND = 24 * 3600.0

#: Texts that are found between two looks at the clock, at first.
TEXTS_AT_ONCE = 256

#: Queries of more different terms are cut: tantivy visits the lists of all terms at once.
MOST_TERMS = 1024


#: Terms of a query about which tantivy is asked one by one. With more of them it is faster to analyse the text again.
FEW_TERMS = 12

#: Terms that are tried at first for one of a text that has not been removed.
TERMS_TO_EXPLAIN = 64

#: In messages of tantivy, the number of an error of the system.
_NUMBER_OF_SYSTEM = re.compile(r"(?:os error |Os \{ code: )(\d+)")


class Lexical:
    """The inverted lists of one state; safe to search from several threads.

    Parameters
    ----------
    analyzer : str
        One of `ANALYZERS`.
    files : mapping of AttachedFile, optional
        Files of the state, by name; none for a state without texts.

    Raises
    ------
    ImportError
        If tantivy is not installed; the message names the extra.
    IndexFormatError
        If files are damaged.
    """

    def __init__(self, analyzer: str, files: Mapping[str, AttachedFile] | None = None) -> None:
        self.analyzer = analyzer
        self.files = dict(files or {})
        self._tantivy: Any = optional("tantivy", "lexical")
        self._analyze: Any = _analyzer(self._tantivy, analyzer)
        self._schema = _schema(self._tantivy)
        self._searcher: Any = None
        if self.files:
            for file in self.files.values():
                file.require()
            # The searcher keeps all files open, so that the folder can go.
            self._searcher = self._searcher_of_files()

    def __reduce__(self) -> tuple[Any, ...]:
        return Lexical, (self.analyzer, self.files)

    def __len__(self) -> int:
        return 0 if self._searcher is None else int(self._searcher.num_docs)

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(len(file.octets) for file in self.files.values())

    def changed(self, added: Iterable[tuple[str, str]], removed: Iterable[str]) -> Lexical:
        """The state with other texts; this one stays as it is.

        Parameters
        ----------
        added : iterable of (str, str)
            Ids and texts.
        removed : iterable of str
            Ids of texts to remove, before others are added.
        """
        with _folder() as folder:
            if self.files:
                _lay_out(self.files, folder)
                index = self._opened(folder)
            else:
                index = self._tantivy.Index(self._schema, str(folder))
                index.register_tokenizer("analyzed", self._analyze)
            with _writing(folder):
                writer = index.writer(heap_size=BUFFER_BYTES, num_threads=1)
                for id in removed:
                    writer.delete_documents_by_term("id", id)
                for id, text in added:
                    writer.add_document(self._tantivy.Document(id=id, text=_valid(text)))
                writer.commit()
                writer.wait_merging_threads()
                del writer
            files = {META: AttachedFile((folder / META).read_bytes())}
            for name in _listed(bytes(files[META].octets), folder):
                files[name] = self.files.get(name) or AttachedFile((folder / name).read_bytes())
        return Lexical(self.analyzer, files)

    def search(
        self,
        query: str,
        limit: int,
        keep: Callable[[list[str]], list[bool]] | None = None,
        deadline: float | None = None,
        factors: Mapping[str, float] | None = None,
    ) -> dict[str, float]:
        """BM25 scores of the best texts that have a term of the query, by id, the best first.

        Parameters
        ----------
        query : str
            The query.
        limit : int
            Maximum number of texts.
        keep : callable, optional
            Says of ids whether their texts are to be found; by default all are.
        deadline : float, optional
            When to stop asking it, by `time.perf_counter`; what it has been asked of by then is found.
        factors : mapping of str to float, optional
            What the score of each term of the query is multiplied by; 1 by default.
        """
        terms = self._terms(query, factors)
        if terms is None or limit < 1 or not len(self):
            return {}
        found: dict[str, float] = {}
        offset, count = 0, limit if deadline is None else min(limit, TEXTS_AT_ONCE)
        while len(found) < limit:
            hits = self._searcher.search(terms, limit=count, count=False, offset=offset).hits
            ids = [self._searcher.doc(address)["id"][0] for _, address in hits]
            kept = [True] * len(ids) if keep is None else keep(ids)
            found |= {id: score for id, (score, _), is_kept in zip(ids, hits, kept, strict=True) if is_kept}
            if len(hits) < count or (deadline is not None and time.perf_counter() >= deadline):
                break
            offset, count = offset + count, 2 * count
        return dict(list(found.items())[:limit])

    def scores(self, query: str, ids: Sequence[str], factors: Mapping[str, float] | None = None) -> NDArray[np.float64]:
        """BM25 scores of given texts, shape (n,); 0 for those without a term of the query. `factors` as in `search`."""
        scores = np.zeros(len(ids))
        place = {id: n for n, id in enumerate(ids)}
        for score, address in self._among(query, ids, factors):
            scores[place[self._searcher.doc(address)["id"][0]]] = score
        return scores

    def statistics(self, query: str) -> TermStatistics:
        """What BM25 knows of these texts, of which removed ones still count, and of the terms of a query."""
        if not len(self) or self._size is None:
            return TermStatistics(0, 0.0, {})
        texts, mean_length = self._size
        with_term = {term: int(self._searcher.doc_freq("text", term)) for term in self.terms_of_query(query)}
        return TermStatistics(int(texts), texts * mean_length, with_term)

    def occurrences(
        self, query: str, ids: Sequence[str], text_of: Callable[[str], str | None]
    ) -> dict[str, Occurrences]:
        """How often the terms of a query occur in given texts; those that have none are left out.

        Parameters
        ----------
        query : str
            The query.
        ids : sequence of str
            The texts.
        text_of : callable
            Returns a text by its id; None if it is not kept. Then tantivy is asked about each term.
        """
        each = {term: self._term(term) for term in self.terms_of_query(query)}
        found: dict[str, Occurrences] = {}
        for _, address in self._among(query, ids):
            id = self._searcher.doc(address)["id"][0]
            text = text_of(id) if len(each) > FEW_TERMS else None
            counts: dict[str, float] = {}
            if text is not None:
                counts = dict(Counter(term for term in self.terms_of(text) if term in each))
            length = 0.0
            for term in each if text is None else list(counts)[:1]:
                try:
                    told = each[term].explain(self._searcher, address).to_json()
                except ValueError:  # the text does not have the term
                    continue
                counts[term], length = (_number(told, name) for name in ("freq, ", "dl, "))
            if counts:
                found[id] = Occurrences(length, counts)
        return found

    @cached_property
    def _size(self) -> tuple[float, float] | None:
        """Number of texts as BM25 counts them, and the mean of their lengths; None if all have been removed.

        Tantivy says this only where it explains a score.
        """
        count = TERMS_TO_EXPLAIN
        while True:
            # The most frequent first; those of which all texts have been removed explain nothing.
            terms = self._searcher.terms_with_prefix("text", "", limit=count)
            for term, _ in terms:
                one = self._term(term)
                for _, address in self._searcher.search(one, limit=1, count=False).hits:
                    told = one.explain(self._searcher, address).to_json()
                    return _number(told, "N, "), _number(told, "avgdl, ")
            if len(terms) < count:
                return None
            count *= 8

    def ids(self) -> Iterator[str]:
        """Ids of all texts."""
        if len(self):
            for _, address in self._searcher.search(self._tantivy.Query.all_query(), limit=len(self)).hits:
                yield self._searcher.doc(address)["id"][0]

    def terms_of(self, text: str) -> list[str]:
        """Terms of a text, in its order."""
        return list(self._analyze.analyze(_valid(text)))

    def terms_of_query(self, query: str) -> list[str]:
        """The different terms of a query, as many as are searched for."""
        return list(dict.fromkeys(self.terms_of(query)))[:MOST_TERMS]

    def _term(self, term: str) -> Any:
        """A query of tantivy for texts with a term."""
        return self._tantivy.Query.term_query(self._schema, "text", term, "freq")

    def _terms(self, query: str, factors: Mapping[str, float] | None = None) -> Any:
        """A query of tantivy for texts with any of the terms; None if the query has no term."""
        each = {term: self._term(term) for term in self.terms_of_query(query)}
        if not each:
            return None
        queries, occur = self._tantivy.Query, self._tantivy.Occur
        if factors is not None:
            each = {term: queries.boost_query(one, factors.get(term, 1.0)) for term, one in each.items()}
        return queries.boolean_query([(occur.Should, one) for one in each.values()])

    def _among(self, query: str, ids: Sequence[str], factors: Mapping[str, float] | None = None) -> Any:
        """Scores and addresses of given texts; those without a term of the query are left out, or have a score of 0."""
        terms = self._terms(query, factors)
        if terms is None or not len(ids) or not len(self):
            return []
        occur, queries = self._tantivy.Occur, self._tantivy.Query
        among = queries.const_score_query(queries.term_set_query(self._schema, "id", list(ids)), 0.0)
        both = queries.boolean_query([(occur.Must, among), (occur.Should, terms)])
        return self._searcher.search(both, limit=len(ids), count=False).hits

    def _searcher_of_files(self) -> Any:
        while True:
            linked = [path for path in map(_linked, self.files.items()) if path is not None]
            try:
                with _folder() as folder:
                    _lay_out(self.files, folder)
                    return self._opened(folder).searcher()
            except IndexFormatError:
                # A writer in another process deletes files of states before its own; their content is still mapped.
                if all(path.exists() for path in linked):
                    raise

    def _opened(self, folder: Path) -> Any:
        try:
            index = self._tantivy.Index.open(str(folder))
            index.register_tokenizer("analyzed", self._analyze)
            index.reload()
        except (ValueError, OSError) as error:
            raise IndexFormatError(
                f"the lexical index cannot be read: {error}; the index's files are damaged"
            ) from None
        return index


def _number(told: str, name: str) -> float:
    """A number in what tantivy says of a score, whose description begins with a name."""
    found = re.search(rf'"value": ([0-9.eE+-]+),\s+"description": "{name}', told)
    assert found is not None, f"tantivy explains {name!r} for every term"
    return float(found[1])


def _analyzer(tantivy: Any, name: str) -> Any:
    filters = tantivy.Filter
    if name == "characters":
        return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.ngram(1, 2)).filter(filters.lowercase()).build()
    made = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(filters.remove_long(LONGEST_WORD))
    made = made.filter(filters.lowercase())
    return (made if name == "words" else made.filter(filters.stemmer(name))).build()


def _schema(tantivy: Any) -> Any:
    fields = tantivy.SchemaBuilder()
    fields.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    fields.add_text_field("text", stored=False, tokenizer_name="analyzed", index_option="freq")
    return fields.build()


def _valid(text: str) -> str:
    """A text as tantivy takes it: without halves of surrogate pairs, which are no characters."""
    return text.encode(errors="replace").decode()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Convert tantivy's errors of the system, which are a ValueError, into named errors with advice."""
    with writing(folder):
        try:
            yield
        except ValueError as error:
            number = _NUMBER_OF_SYSTEM.search(str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(folder)) from None


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder for a while. Threads of tantivy may still tidy it up at its end, which then takes several attempts."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        yield folder
    finally:
        for _ in range(100):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.01)


@cache
def _sweep() -> None:
    """Delete folders that killed processes have left behind, once per process."""
    limit = time.time() - LEFT_BEHIND
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)


def _listed(meta: bytes, folder: Path) -> list[str]:
    """Names of the files of the segments of a state; others in the folder are about to be deleted."""
    segments = {own["segment_id"].replace("-", ""): own["deletes"] for own in json.loads(meta)["segments"]}
    found = []
    for name in sorted(path.name for path in folder.iterdir()):
        segment, *rest = name.split(".")
        deletes = segments.get(segment)
        if segment in segments and (rest[-1] != "del" or (deletes is not None and rest[0] == str(deletes["opstamp"]))):
            found.append(name)
    return found


def _lay_out(files: Mapping[str, AttachedFile], folder: Path) -> None:
    """Put the files of a state into a folder: as links, or as copies of what has been deleted since."""
    for name, file in files.items():
        target, linked = folder / name, _linked((name, file))
        if linked is None:
            target.write_bytes(file.octets)
        else:
            target.symlink_to(linked)


def _linked(named: tuple[str, AttachedFile]) -> Path | None:
    """The file that a link can stand for; None if its content has to be copied."""
    name, file = named
    return file.path if file.path is not None and name != META and file.path.exists() else None
