"""Errors that have names, so that a caller can tell them apart. Each is also the built-in error that it resembles."""

from __future__ import annotations


class DuplicateIdError(ValueError):
    """An id is given twice, or added although the index has it; `Index.upsert` replaces documents."""


class UnknownIdError(KeyError):
    """An id is not in the index."""

    def __str__(self) -> str:
        # KeyError shows its argument quoted, as it is a key by custom.
        return str(self.args[0]) if self.args else ""


class DimensionError(ValueError):
    """Tokens are of another dimension than those of the index, or of the other side."""


class MeasureMismatchError(ValueError):
    """An index was built for another measure than is asked for; build one for this measure."""


class EncoderMismatchError(ValueError):
    """An index was built with another encoder than is given; their vectors have nothing to do with each other.

    Encode queries with the encoder that the message names; or, if you know better, ask not to have it checked.
    """


class InfeasibleError(ValueError):
    """Forbidden entries of a cost matrix leave no way for some mass; the message says how much, and from where."""


class UnknownFieldError(ValueError):
    """A condition names a field that no payload of the index has; the message names those that there are."""


class NoTokensError(ValueError):
    """A text has no token that an encoder knows, or no text of a batch has one."""


class IndexNotFoundError(FileNotFoundError):
    """There is no index at a path."""


class IndexExistsError(FileExistsError):
    """There is something at a path already; ``overwrite=True`` replaces an index, and nothing else."""


class IndexFormatError(ValueError):
    """A folder holds something else than an index, or an index that is damaged; the message says what, and where."""


class IndexVersionError(IndexFormatError):
    """An index was written in a version of the format that this moverank does not read."""


class IndexIncompleteError(RuntimeError):
    """An index is still being built, or its build was cut off; `Index.build_on_disk` with ``resume=True`` goes on."""


class IndexLockedError(RuntimeError):
    """Another writer has the index open; there can be one at a time, beside any number of readers."""


class ReadOnlyIndexError(RuntimeError):
    """An index was opened for reading; ``Index.open(path, writable=True)`` opens it for writing."""


class IndexClosedError(RuntimeError):
    """An index was closed; `Index.open` opens it again."""


class IndexWriteError(OSError):
    """A file of an index could not be written. The index is as it was before the call, unless the message says more."""


class NoSpaceError(IndexWriteError):
    """The disk is full, or a quota or a limit on file sizes is reached; the index is as it was before the call."""


class NoPermissionError(IndexWriteError, PermissionError):
    """The folder or a file in it may not be written; the index is as it was before the call."""


class TextFormatError(ValueError):
    """A file holds no text, or none in a layout that is read; the message says where, and what was expected."""


class PaddingWarning(UserWarning):
    """A batch of sequences of one length has zero vectors at their ends, which count as tokens unless they are cut."""


class PrecisionWarning(UserWarning):
    """Numbers came with more digits than float32 holds, and those that it drops may matter; the message says how."""
