"""Options of the encoder."""

from __future__ import annotations

import argparse
from pathlib import Path

from moverank.cli.errors import UserError, is_given, refuse_options
from moverank.encoders import SEGMENTERS, Encoder, OnnxEncoder, Words, WordVectors
from moverank.encoders.segmenters import segmenter_for

#: Options of encoders, by their attributes.
_OF_MODELS = ("subwords", "max_length", "query_prompt", "document_prompt")
ENCODER_OPTIONS = ("vectors", "model", "tokenizer", *_OF_MODELS, "segmenter", "keep_case")


def add_encoder_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the encoder."""
    group = parser.add_argument_group("encoder", "by default the English word vectors included in the package:")
    group.add_argument("--vectors", type=Path, metavar="PATH", help="word vectors: GloVe, word2vec, fastText, .npz")
    group.add_argument("--segmenter", choices=tuple(SEGMENTERS), help="finds the words of texts without spaces, for "
                       "--vectors: jieba Chinese, fugashi Japanese, pythainlp Thai")  # fmt: skip
    group.add_argument("--keep-case", action="store_true", help="look words up as they are written, not in lower case")
    group.add_argument("--model", type=Path, metavar="ONNX", help="a transformer, exported to ONNX (moverank[text])")
    group.add_argument("--tokenizer", type=Path, metavar="JSON", help="the transformer's tokenizer.json")
    group.add_argument("--subwords", choices=("keep", "mean", "first"), help="pieces of words: keep each, "
                       "use their mean, or use the first (default: mean)")  # fmt: skip
    group.add_argument("--max-length", type=int, help="most tokens of a text that the transformer sees (default: "
                       "the limit in its files)")  # fmt: skip
    for side, texts in (("query", "a query"), ("document", "any other text")):
        group.add_argument(f"--{side}-prompt", metavar="TEXT", help=f"prefix of {texts} for the transformer, such "
                           f"as '{side}: ' (default: as in its files)")  # fmt: skip


def names_encoder(args: argparse.Namespace) -> bool:
    """Whether an option of the encoder was given."""
    return any(is_given(args, name) for name in ENCODER_OPTIONS)


def require_encoder_options(args: argparse.Namespace) -> None:
    """Refuse options of the encoder that do not go together; loads nothing."""
    if args.vectors is not None and args.model is not None:
        raise UserError("--vectors and --model: give one of them")
    if (args.model is None) != (args.tokenizer is None):
        raise UserError("--model and --tokenizer go together")
    if args.model is None:
        refuse_options(args, _OF_MODELS, "applies to a transformer, given by --model")
        if args.vectors is None:
            refuse_options(args, ("segmenter", "keep_case"), "applies to word vectors, given by --vectors")
    else:
        refuse_options(args, ("segmenter", "keep_case"), "applies to word vectors, not to a transformer")


def chosen_encoder(args: argparse.Namespace) -> Encoder:
    """Encoder that the options name."""
    require_encoder_options(args)
    if args.model is None:
        if args.vectors is None:
            return WordVectors.default()
        words = Words(lower_case=not args.keep_case, segmenter=args.segmenter)
        return WordVectors.load(args.vectors, tokenize=words)
    given = {name: getattr(args, name) for name in _OF_MODELS}
    return OnnxEncoder(args.model, args.tokenizer, **{**given, "subwords": args.subwords or "mean"})


def advice(args: argparse.Namespace, text: str) -> str:
    """Advice where no word of a text is known, for the command line; begins with a semicolon."""
    suited = segmenter_for(text)
    if args.model is not None:
        return ""
    if suited is not None and args.segmenter is None:
        language = SEGMENTERS[suited].language
        vectors = f"--vectors of {language} words and " if args.vectors is None else ""
        return f"; {vectors}--segmenter {suited} cut{'' if vectors else 's'} {language} into words"
    if args.vectors is None:
        return "; the included vectors are English, --vectors loads others"
    return "" if args.keep_case else "; --keep-case looks words up as they are written"
