"""What a `TextIndex` keeps of its encoder, so that it can be opened without naming the encoder again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from moverank.encoders.encoded import Encoder
from moverank.encoders.late_interaction import LateInteraction
from moverank.encoders.onnx import OnnxEncoder
from moverank.encoders.tokenize import Words
from moverank.encoders.word_vectors import WordVectors
from moverank.errors import EncoderMismatchError, IndexFormatError
from moverank.index.parts.attachment import AttachedFile
from moverank.vectors.encoder_identity import EncoderIdentity, checked

#: Name of the file of word vectors.
WORDS = "word-vectors.npz"


def kept_of(encoder: Encoder) -> tuple[dict[str, Any] | None, dict[str, AttachedFile]]:
    """Facts and files from which an encoder can be made again; None if it cannot be.

    The word vectors of the package are kept by name, others whole; a transformer by the paths of its files, which may
    be large; encoders of other classes not at all.
    """
    if isinstance(encoder, WordVectors):
        if encoder is WordVectors.default():
            return {"kind": "bundled"}, {}
        split = encoder.tokenize
        if not isinstance(split, Words):
            return None, {}
        words = {
            "lower_case": split.lower_case,
            "stop_words": sorted(split.stop_words),
            "segmenter": split.segmenter,
        }
        octets = io.BytesIO()
        listed = np.frombuffer("\n".join(encoder._words).encode(), dtype=np.uint8)
        np.savez(octets, words=listed, vectors=encoder._vectors)
        facts = {"kind": "words", "name": encoder._name, "words": words}
        return facts, {WORDS: AttachedFile(octets.getvalue())}
    if isinstance(encoder, OnnxEncoder):
        model, tokenizer = encoder._arguments
        options = dict(encoder._options)
        late = options["late_interaction"]
        options["late_interaction"] = asdict(late) if isinstance(late, LateInteraction) else False
        return {"kind": "onnx", "model": str(model), "tokenizer": str(tokenizer), "options": options}, {}
    return None, {}


def encoder_from(
    facts: Mapping[str, Any] | None, files: Mapping[str, AttachedFile], identity: EncoderIdentity | None
) -> Encoder:
    """Make the encoder of an index again.

    Raises
    ------
    EncoderMismatchError
        If the encoder is not kept, its files have moved, or they are others now; the message says to give it.
    IndexFormatError
        If facts or files are damaged.
    """
    give = "give it: TextIndex.open(path, encoder=...)"
    if facts is None:
        raise EncoderMismatchError(f"the index does not keep its encoder, {identity}; {give}")
    try:
        if facts["kind"] == "bundled":
            made: Encoder = WordVectors.default()
        elif facts["kind"] == "words":
            made = _word_vectors(facts, files[WORDS])
        elif facts["kind"] == "onnx":
            for path in (facts["model"], facts["tokenizer"]):
                if not Path(path).is_file():
                    raise EncoderMismatchError(
                        f"the index was built with {identity}, whose file {path} is gone; {give}"
                    )
            options = dict(facts["options"])
            late = options["late_interaction"]
            options["late_interaction"] = LateInteraction(**_with_tuples(late)) if isinstance(late, dict) else False
            made = OnnxEncoder(facts["model"], facts["tokenizer"], **options)
        else:
            raise IndexFormatError(f"its encoder is of an unknown kind, {facts['kind']!r:.40}")
    except (KeyError, TypeError) as error:
        raise IndexFormatError(f"what the index keeps of its encoder is damaged: {error}") from None
    if identity is not None:
        checked(identity, made)
    return made


def _word_vectors(facts: Mapping[str, Any], file: AttachedFile) -> WordVectors:
    file.require()
    try:
        with np.load(io.BytesIO(bytes(file.octets)), allow_pickle=False) as table:
            words, vectors = table["words"].tobytes().decode().split("\n"), table["vectors"]
        made = WordVectors(words, vectors, tokenize=Words(**facts["words"]))
    except (ValueError, OSError) as error:
        raise IndexFormatError(f"the index's word vectors are damaged: {error}") from None
    made._name = facts["name"]
    return made


def _with_tuples(options: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of JSON as the tuples that they were."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
