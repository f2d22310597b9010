"""Documents from files larger than memory, some at a time."""

from moverank.readers.batch import Batch

__all__ = ["Batch"]
