"""Two sequences in, a distance out: what a distance is (`measure`), many at once (`distances`), their derivatives.

Read `measure` first. `given` is about ground costs from a table instead of vectors; `origin` and `precision` keep the
digits of tokens that lie far from 0, or warn of their loss; `pooling` makes documents of fewer tokens.
"""

from moverank.measures.distances import CertifiedDistances, certified_distances, paired_distances, pairwise
from moverank.measures.measure import Measure, emd, maxsim, rwmd, wmd, wrd
from moverank.measures.pooling import PooledTokens, pool_tokens

__all__ = [
    "CertifiedDistances",
    "Measure",
    "PooledTokens",
    "certified_distances",
    "emd",
    "maxsim",
    "paired_distances",
    "pairwise",
    "pool_tokens",
    "rwmd",
    "wmd",
    "wrd",
]
