"""Which token moved where, shown in a terminal, in a paper, in a browser.

Read `alignment` first: every picture and table is made from it.
"""

from moverank.alignment.alignment import Alignment, TokenMove

__all__ = ["Alignment", "TokenMove"]
