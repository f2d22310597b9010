"""Which token moved where, shown in a terminal, in a paper, in a browser.

Read `alignment` first: every picture and table is made from it.
"""

from moverank.alignment.alignment import Alignment, TokenMove
from moverank.alignment.uncertainty import UncertainMove, Uncertainty

__all__ = ["Alignment", "TokenMove", "UncertainMove", "Uncertainty"]
