"""Sentences near a target, found by Markov chains over words; `python -m paraphrase` from the folder above.

Read `sampler` first: it runs chains in step, so that one call of moverank measures the sentences that all of them try.
"""
