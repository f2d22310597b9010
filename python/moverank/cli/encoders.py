"""Options that say what makes vectors of texts."""

from __future__ import annotations

import argparse
from pathlib import Path

from moverank.cli.errors import UserError, refuse_options
from moverank.encoders import SEGMENTERS, Encoder, OnnxEncoder, Words, WordVectors
from moverank.encoders.segmenters import segmenter_for

#: Options of encoders, by their attributes.
_OF_MODELS = ("subwords", "max_length", "query_prompt", "document_prompt")
ENCODER_OPTIONS = ("vectors", "model", "tokenizer", *_OF_MODELS, "segmenter", "keep_case")


def add_encoder_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how texts become vectors."""
    group = parser.add_argument_group("encoder", "English word vectors that come with the package, unless given:")
    group.add_argument("--vectors", type=Path, metavar="PATH", help="word vectors: GloVe, word2vec, fastText, .npz")
    group.add_argument("--segmenter", choices=tuple(SEGMENTERS), help="what cuts texts without spaces into words that "
                       "--vectors has: jieba Chinese, fugashi Japanese, pythainlp Thai")  # fmt: skip
    group.add_argument("--keep-case", action="store_true", help="look words up as they are written, not in lower case")
    group.add_argument("--model", type=Path, metavar="ONNX", help="a transformer, exported to ONNX (moverank[text])")
    group.add_argument("--tokenizer", type=Path, metavar="JSON", help="the transformer's tokenizer.json")
    group.add_argument("--subwords", choices=("keep", "mean", "first"), help="the transformer's pieces of words: keep "
                       "them, take their mean, or the first (default: mean)")  # fmt: skip
    group.add_argument("--max-length", type=int, help="tokens of a text that the transformer sees (default: "
                       "as many as its files say that it takes)")  # fmt: skip
    for side, texts in (("query", "a query"), ("document", "any other text")):
        group.add_argument(f"--{side}-prompt", metavar="TEXT", help=f"what the transformer sees before {texts}, such "
                           f"as '{side}: ' (default: what its files say)")  # fmt: skip


def chosen_encoder(args: argparse.Namespace) -> Encoder:
    """Encoder that the options name."""
    if args.vectors is not None and args.model is not None:
        raise UserError("--vectors and --model: give one of them")
    if (args.model is None) != (args.tokenizer is None):
        raise UserError("--model and --tokenizer go together")
    if args.model is None:
        refuse_options(args, _OF_MODELS, "is of a transformer, which --model names")
        if args.vectors is None:
            refuse_options(args, ("segmenter", "keep_case"), "is about word vectors that --vectors names")
            return WordVectors.default()
        words = Words(lower_case=not args.keep_case, segmenter=args.segmenter)
        return WordVectors.load(args.vectors, tokenize=words)
    refuse_options(args, ("segmenter", "keep_case"), "is about word vectors, not about a transformer")
    given = {name: getattr(args, name) for name in _OF_MODELS}
    return OnnxEncoder(args.model, args.tokenizer, **{**given, "subwords": args.subwords or "mean"})


def advice(args: argparse.Namespace, text: str) -> str:
    """What may help where no word of a text is known, in words of the command line; begins with a semicolon."""
    suited = segmenter_for(text)
    if args.model is not None:
        return ""
    if suited is not None and args.segmenter is None:
        language = SEGMENTERS[suited].language
        vectors = f"--vectors of {language} words and " if args.vectors is None else ""
        return f"; {vectors}--segmenter {suited} cut{'' if vectors else 's'} {language} into words"
    if args.vectors is None:
        return "; the vectors that come with the package are English, --vectors names others"
    return "" if args.keep_case else "; --keep-case looks words up as they are written"
