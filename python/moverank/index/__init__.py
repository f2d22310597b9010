"""The index, a wing with one door: `index.Index`.

Three questions, three folders: what is in an index (`parts`), how is it searched (`search`), how is it kept in a folder
(`disk`). `snapshot` is one state of an index, `changes` how it becomes the next; each search reads one snapshot
(`answer`).
"""

from moverank.index.batch import Batch
from moverank.index.index import Index

__all__ = ["Batch", "Index"]
