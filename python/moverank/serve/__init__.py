"""A service over HTTP: rerankers' dialects, search of indexes of texts, and a page that shows why. Extra ``serve``.

Read `app` first, which puts the parts together: `engine` encodes and compares on a bounded number of threads, `catalog`
keeps the indexes, and one module per group of paths speaks to clients.
"""

from __future__ import annotations

from moverank._support.optional import optional

optional("fastapi", "serve")

from moverank.serve.app import create_app  # noqa: E402 - checked first, to name the extra
from moverank.serve.options import Options  # noqa: E402

__all__ = ["Options", "create_app"]
