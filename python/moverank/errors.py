"""Named errors, so that a caller can tell them apart. Each is also the built-in error that it resembles."""

from __future__ import annotations


class DuplicateIdError(ValueError):
    """An id is given twice, or added although the index has it; `Index.upsert` replaces documents."""


class UnknownIdError(KeyError):
    """An id is not in the index."""

    def __str__(self) -> str:
        # KeyError prints its argument in quotes, because by convention it is a key.
        return str(self.args[0]) if self.args else ""


class DimensionError(ValueError):
    """Tokens have a dimension other than that of the index, or of the other side."""


class MeasureMismatchError(ValueError):
    """An index was built, or a baseline fitted, for a measure other than the expected one; make another for it."""


class EncoderMismatchError(ValueError):
    """An index was built, or a baseline fitted, with an encoder other than the one given.

    Their vectors cannot be compared. Use the encoder that the message names; or, for an index, switch the check off if
    you know better.
    """


class InfeasibleError(ValueError):
    """Forbidden entries of a cost matrix leave some mass nowhere to go; the message says how much, and from where."""


class UnknownFieldError(ValueError):
    """A condition names a field that no payload of the index has; the message lists the fields that exist."""


class NoTokensError(ValueError):
    """A text has no token that an encoder knows, or no text of a batch has one."""


class IndexNotFoundError(FileNotFoundError):
    """There is no index at a path."""


class IndexExistsError(FileExistsError):
    """Something exists at the path already; ``overwrite=True`` replaces an index, and nothing else."""


class IndexFormatError(ValueError):
    """A folder holds something other than an index, or a damaged index; the message says what, and where."""


class IndexVersionError(IndexFormatError):
    """An index was written in a version of the format that this version of moverank does not read."""


class IndexIncompleteError(RuntimeError):
    """An index is still being built, or its build was interrupted: `Index.build_on_disk(resume=True)`."""


class IndexLockedError(RuntimeError):
    """Another writer has the index open; there can be one writer at a time, and any number of readers."""


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


class ShardMismatchError(ValueError):
    """Indexes that are to be searched as one differ in what distances depend on; the message says in what."""


class ShardFailedError(RuntimeError):
    """Some of the indexes that are searched as one did not answer; the message says which, and why.

    ``on_failure="partial"`` answers from the others instead, and says what is missing.
    """


class TextFormatError(ValueError):
    """A file holds no text, or text in an unknown layout; the message says where, and what was expected."""


class PaddingWarning(UserWarning):
    """Sequences of equal length end in zero vectors, which count as tokens unless the padding is cut off."""


class PrecisionWarning(UserWarning):
    """Numbers have more digits than float32 holds, and the digits lost may matter; the message says how."""


class UnscoredWarning(UserWarning):
    """Pairs of texts could not be compared, as one side has no token that the encoder knows, and their scores are 0."""
