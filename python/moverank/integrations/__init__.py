"""moverank inside the frameworks that people use: one module each, imported by name, each with its extra.

`langchain`, `llama_index`, `haystack`, `pyterrier`, `rerankers`: rerankers in retrieval pipelines. `sklearn`:
neighbours for estimators. `gensim`, `pot`: the same names and numbers, to switch by changing an import.
"""
