"""The index: a collection of documents that can be searched and changed. `index.Index` is the public class.

Three folders answer three questions: what an index contains (`parts`), how it is searched (`search`), and how it is
stored in a folder (`disk`). `snapshot` is one unchanging state of an index; `changes` makes the next state from it;
`answer` runs one search, which reads one snapshot from beginning to end.
"""

from moverank.index.batch import Batch
from moverank.index.index import Index
from moverank.index.search.seeds import Seeds

__all__ = ["Batch", "Index", "Seeds"]
