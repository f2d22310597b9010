"""moverank inside other frameworks: one module per framework, each with its own extra. Import the module you need.

`langchain`, `llama_index`, `haystack`, `pyterrier` and `rerankers` are rerankers for retrieval pipelines; the first two
have retrievers, too, and the first a vector store. `sklearn` computes distances and neighbours for estimators.
`gensim`, `pot` and `pylate` offer the names and results of these libraries, so that changing an import is enough to
switch.
"""
