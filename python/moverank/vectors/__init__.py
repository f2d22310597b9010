"""What is compared: sequences of vectors, bags of words over a table of vectors, histograms over bins.

Read `sequences` first. `rounding` and `digests` are about the digits of float64 numbers that float32 does not hold.
"""

from moverank.vectors.bag import Bag
from moverank.vectors.bags import Bags
from moverank.vectors.encoder_identity import EncoderCheck, EncoderIdentity
from moverank.vectors.histograms import Histograms
from moverank.vectors.sequences import Sequence, Sequences

__all__ = ["Bag", "Bags", "EncoderCheck", "EncoderIdentity", "Histograms", "Sequence", "Sequences"]
