"""The entry point for texts in files: any number of files and folders, read one document at a time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from moverank._support.validate import as_list
from moverank.errors import TextFormatError
from moverank.readers.texts.document import Document, Fields
from moverank.readers.texts.folders import part_of_collection, texts_of
from moverank.readers.texts.formats import Format, format_of, suffix_of
from moverank.readers.texts.html import declared_charset, text_of_page
from moverank.readers.texts.json_values import parsed, values_in
from moverank.readers.texts.left_out import LeftOut
from moverank.readers.texts.lines import beginning, encoding_of, lines_of, require_encoding, whole_text
from moverank.readers.texts.opening import STDIN, Source, opened, shown
from moverank.readers.texts.tables import documents_of_table


class TextFiles:
    r"""Documents in files and folders. Each iteration reads the files anew, one document at a time.

    ==================  ==========================================================================================
    JSON lines, NDJSON  one object per line, whose id and text are given by `Fields`; or a string, which is a text
    JSON                an array of such objects, or several objects in a row, which may span lines
    TSV                 id, tab, text; or columns named by the first line, with a text and an id or a title
    .md .rst .html      one document; for HTML, its visible text
    other text          one document per line; but columns, if the first lines are all id, tab and text, or if the
                        first line names tab-separated columns; comma-separated columns are refused
    folder              for BEIR, its corpus.jsonl (or queries.jsonl); else one document per .txt, .md, .rst or .html
                        file at any depth; if there are none, all documents of .jsonl, .ndjson and .tsv files
    compressed          any of these, compressed by gzip, bzip2, xz, or Zstandard (``pip install moverank[zstd]``)
    ==================  ==========================================================================================

    Formats are recognised by content before name. Text is UTF-8, or UTF-16 or UTF-32 with a byte order mark.

    Ids are taken from the files. If a file has none, ids are the numbers of lines or elements, or the paths of files in
    a folder. With several paths, or with `prefixed`, these begin with the name of the path, as in "a.txt:3".

    Parameters
    ----------
    paths : path or sequence of paths
        Files and folders; ``-`` is standard input, which can be read only once.
    fields : Fields, optional
        The fields with the id and the text. If names are given, every text must have these fields.
    encoding : str, optional
        Encoding of files without a byte order mark; UTF-8 by default.
    part : {"corpus", "queries"}, default "corpus"
        The part to read of a folder of BEIR.
    prefixed : bool, optional
        Begin ids with the name of the path even if there is only one path.
    keep_empty : bool, optional
        Yield documents without text as well; by default they are skipped.

    Attributes
    ----------
    left_out : LeftOut
        What the last iteration skipped: empty texts, and files in folders that are not text.
    notes : list of str
        Files that the last iteration read in a format that their names do not suggest.

    Raises
    ------
    OSError, TextFormatError
        While iterating: if a given file cannot be read, or there is no document; the message says where.
    ValueError
        If a path is given twice, or the encoding is unknown.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "collection.tsv"
    >>> _ = path.write_text("30\tThe cat sleeps.\n1\tShares fell.\n")
    >>> [(document.id, document.content) for document in TextFiles(path)]
    [('30', 'The cat sleeps.'), ('1', 'Shares fell.')]
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        fields: Fields | None = None,
        encoding: str | None = None,
        part: str = "corpus",
        prefixed: bool = False,
        keep_empty: bool = False,
    ) -> None:
        given = [paths] if isinstance(paths, (str, os.PathLike)) else as_list(paths, "paths", "paths")
        self.paths = [Path(path) for path in given]
        if not self.paths:
            raise ValueError("paths: expected at least one, got none")
        for path, count in Counter(self.paths).items():
            if count > 1:
                raise ValueError(f"{shown(path)}: is given twice")
        require_encoding(encoding)
        self._fields = Fields() if fields is None else fields
        self._encoding, self._part = encoding, part
        names = Counter(path.name for path in self.paths)
        self._labels = {path: shown(path.name if path.name and names[path.name] == 1 else path) for path in self.paths}
        self._prefixed = prefixed or len(self.paths) > 1
        self._keep_empty = keep_empty
        self.left_out = LeftOut()
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[Document]:
        self.left_out, self.notes = LeftOut(), []
        found = 0
        for path in self.paths:
            for document in self._of_path(path):
                if self._keep_empty or document.content.strip():
                    found += 1
                    yield document
                else:
                    self.left_out.add("without text", document.place)
        if not found:
            names = ", ".join(map(shown, self.paths))
            others = f"; left out: {self.left_out}" if self.left_out else ""
            raise TextFormatError(f"{names}: has no documents{others}")

    def _of_path(self, path: Path) -> Iterator[Document]:
        if path == STDIN or not path.is_dir():
            label = self._labels[path]
            yield from self._of_file(path, label, f"{label}:" if self._prefixed else "")
            return
        whole = part_of_collection(path, self._part)
        if whole is not None:
            yield from self._of_file(whole, "", f"{self._labels[path]}:" if self._prefixed else "")
        elif self._part != "corpus":
            raise TextFormatError(f"{shown(path)}: has no {self._part}.jsonl")
        else:
            yield from self._of_folder(path)

    def _of_folder(self, folder: Path) -> Iterator[Document]:
        prefix = f"{self._labels[folder]}/" if self._prefixed else ""
        files, are_texts = texts_of(folder, self.left_out)
        if are_texts:
            self._fields.require_none(shown(folder), "one document per file")
        for path in files:
            name = prefix + shown(path.relative_to(folder).as_posix())
            if not are_texts:
                yield from self._of_file(path, name, f"{name}:")
                continue
            try:
                with opened(path) as source:
                    document = self._whole(source, suffix_of(path), name)
            except (TextFormatError, OSError) as error:
                # One bad file must not stop the reading of a folder; a file that the user named does.
                self.left_out.add("not readable as text", _reason(error, path))
            else:
                yield document

    def _of_file(self, path: Path, name: str, prefix: str) -> Iterator[Document]:
        """Documents of one file. One document has the id `name`; several have the prefix and their number."""

        def default_id(place: int) -> str:
            return f"{prefix}{place}"

        with ExitStack() as stack:
            source = stack.enter_context(opened(path))
            encoding = encoding_of(source, self._encoding)
            suffix = "" if path == STDIN else suffix_of(path)
            found = format_of(beginning(source, encoding), suffix, source.name, self._fields)
            if found in (Format.PAGE, Format.PROSE, Format.LINES):
                self._fields.require_none(source.name, found.value)
            if found in (Format.PAGE, Format.PROSE):
                yield self._whole(source, ".html" if found is Format.PAGE else suffix, name)
                return
            if found is Format.TABLE and suffix != ".tsv":
                self.notes.append(f"{source.name}: read as {found.value}")
            lines = lines_of(source, encoding)
            if found is Format.TABLE:
                yield from documents_of_table(lines, source.name, self._fields, default_id)
            elif found is Format.LINES:
                for number, line in lines:
                    yield Document(default_id(number), "", line, {}, f"{source.name}:{number}")
            elif found is Format.JSON_LINES:
                for number, line in lines:
                    where = f"{source.name}:{number}"
                    yield self._of_value(parsed(line, where), where, default_id(number))
            else:
                for place, value in values_in(lines, source.name):
                    yield self._of_value(value, f"{source.name}, element {place}", default_id(place))

    def _of_value(self, value: object, where: str, default_id: str) -> Document:
        if isinstance(value, str):
            self._fields.require_none(where, "a text")
            return Document(default_id, "", value, {}, where)
        if not isinstance(value, dict):
            raise TextFormatError(f"{where}: expected a JSON object")
        return self._fields.document(value, where, default_id)

    def _whole(self, source: Source, suffix: str, name: str) -> Document:
        """Read a file that is one document."""
        given = self._encoding
        if suffix in (".html", ".htm", ".xhtml"):
            declared = declared_charset(source.head)
            title, text = text_of_page(whole_text(source, encoding_of(source, declared or given)))
            return Document(name, title, text, {}, source.name)
        return Document(name, "", whole_text(source, encoding_of(source, given)), {}, source.name)


def _reason(error: Exception, path: Path) -> str:
    return f"{shown(path)}: {error.strerror}" if isinstance(error, OSError) else str(error)
