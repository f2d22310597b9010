"""``moverank info``: what is installed."""

from __future__ import annotations

import argparse
from importlib.metadata import version
from typing import Any

from moverank import build_info
from moverank.encoders import WordVectors


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "info",
        help="show versions and build",
        description="Show versions and how the core was built.",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print one line a fact."""
    facts = {
        **build_info(),
        "numpy": version("numpy"),
        "faiss": version("faiss-cpu"),
        "default encoder": WordVectors.default(),
    }
    for name, value in facts.items():
        print(f"{name:<16} {value}")
    return 0
