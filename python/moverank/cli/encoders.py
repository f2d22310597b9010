"""Options that say what makes vectors of texts."""

from __future__ import annotations

import argparse
from pathlib import Path

from moverank.cli.errors import UserError, refuse_options
from moverank.encoders import Encoder, OnnxEncoder, WordVectors

#: Options of encoders, by their attributes.
ENCODER_OPTIONS = ("vectors", "model", "tokenizer", "subwords", "max_length")


def add_encoder_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how texts become vectors."""
    group = parser.add_argument_group("encoder", "English word vectors that come with the package, unless given:")
    group.add_argument("--vectors", type=Path, metavar="PATH", help="word vectors: GloVe, word2vec, fastText, .npz")
    group.add_argument("--model", type=Path, metavar="ONNX", help="a transformer, exported to ONNX (moverank[text])")
    group.add_argument("--tokenizer", type=Path, metavar="JSON", help="the transformer's tokenizer.json")
    group.add_argument("--subwords", choices=("keep", "mean", "first"), help="the transformer's pieces of words: keep "
                       "them, take their mean, or the first (default: mean)")  # fmt: skip
    group.add_argument("--max-length", type=int, help="tokens of a text that the transformer sees (default: 256)")


def chosen_encoder(args: argparse.Namespace) -> Encoder:
    """Encoder that the options name."""
    if args.vectors is not None and args.model is not None:
        raise UserError("--vectors and --model: give one of them")
    if (args.model is None) != (args.tokenizer is None):
        raise UserError("--model and --tokenizer go together")
    if args.model is None:
        refuse_options(args, ("subwords", "max_length"), "is of a transformer, which --model names")
        return WordVectors.default() if args.vectors is None else WordVectors.load(args.vectors)
    length = 256 if args.max_length is None else args.max_length
    return OnnxEncoder(args.model, args.tokenizer, subwords=args.subwords or "mean", max_length=length)
