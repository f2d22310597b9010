"""Which token moved where, and how that looks in a terminal, in a paper, in a browser.

Read `alignment` first: what every picture and table is made from.
"""

from moverank.alignment.alignment import Alignment, TokenMove

__all__ = ["Alignment", "TokenMove"]
