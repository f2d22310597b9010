"""The search for one query.

`query` is the checked query and goal. `ladder` runs the core's sequence of bounds, from cheap to tight, which excludes
documents until the rest is solved exactly. `prefilters` propose candidates for searches with a budget. `hits` is the
result.
"""
