"""How one query is answered.

What is asked (`query`), bounds that rise until nothing is left to solve (`ladder`), what brings candidates to a search
with a budget (`prefilters`), and what comes back (`hits`).
"""
