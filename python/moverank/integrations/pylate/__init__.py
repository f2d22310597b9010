"""PyLate's `indexes`, `retrieve` and `rank`, computed by moverank. PyLate itself is not imported.

Replace ``from pylate import indexes, retrieve`` by ``from moverank.integrations.pylate import indexes, retrieve``, and
``indexes.PLAID(...)`` by ``indexes.Moverank(...)``. Embeddings are what ``models.ColBERT.encode`` returns: a list of
arrays or tensors of shape (n, d), one array of three dimensions, or one of two for a single text.

Scores are on PyLate's scale, larger is better: the sum over the query's tokens of the largest inner product with a
token of the document (MaxSim). Searches are exact unless `candidates` is given. Other measures whose weighting is
uniform and whose ground cost is "dot" or "cosine" have sums over the query's tokens as scores, too: of the similarities
with the tokens to which they move. The scores of all others are similarities, see `Measure.similarity`.
"""

from moverank.integrations.pylate import indexes, rank, retrieve

__all__ = ["indexes", "rank", "retrieve"]
