"""Indexes in folders. `docs/format.md` says what is in one, byte by byte.

Read `files` first: how a file comes to be so that a crash leaves all of it or nothing. `segments` are the files that
hold a part's arrays, `manifest` says which files make the index, `store` changes one state of it into the next.
"""
