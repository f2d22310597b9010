"""The contents of an index: immutable parts, each a group of documents stored as a table of arrays.

Read `setup` first: the options that all parts share. Then read `arrays`: the table; and `kind`: the operations that
depend on the kind of documents. Documents enter an index through `intake`.
"""
