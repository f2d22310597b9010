"""Indexes in folders. `docs/format.md` specifies the files.

Read `files` first: how a file is written so that a crash leaves all of it or nothing. `segments` are files with the
arrays of one part each. The `manifest` lists the files of the index. `store` replaces one state of the index by the
next.
"""
