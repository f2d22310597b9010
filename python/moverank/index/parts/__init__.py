"""What an index is made of: parts that never change, each a table of arrays.

Read `setup` first, what all parts have in common, then `arrays`, the table, and `kind`, what an index asks of its
documents. They come in through `intake`.
"""
