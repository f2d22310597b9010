"""Options of the service."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from moverank._support.validate import positive_number, thread_count, whole_number
from moverank.encoders.encoded import Encoder
from moverank.encoders.onnx import OnnxEncoder
from moverank.encoders.tokenize import Words
from moverank.encoders.word_vectors import WordVectors
from moverank.ranking.reranker import DEFAULT_MEASURE
from moverank.serve.hosts import is_name

#: Variable of the environment by which worker processes are told the options.
VARIABLE = "MOVERANK_SERVE"

#: Name of the deadline in the state that the application gives to the server when it starts.
DEADLINE = "deadline"


@dataclass(frozen=True)
class EncoderFiles:
    """The encoder that reranks texts, by its files, so that every worker process can load it.

    Attributes
    ----------
    vectors : str or None
        File of word vectors.
    words : mapping
        Options of `Words` for them.
    model, tokenizer : str or None
        Files of a transformer; with no file at all, the word vectors of the package.
    options : mapping
        Options of `OnnxEncoder`.
    """

    vectors: str | None = None
    words: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    tokenizer: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Encoder:
        """Load the encoder."""
        if self.model is not None and self.tokenizer is not None:
            return OnnxEncoder(self.model, self.tokenizer, **self.options)
        if self.vectors is not None:
            return WordVectors.load(self.vectors, tokenize=Words(**self.words))
        return WordVectors.default()


@dataclass(frozen=True)
class Options:
    """Options of the service.

    Parameters
    ----------
    indexes : mapping of str to path, optional
        Folders of indexes of texts, by the names under which they are served.
    shards : mapping of str to sequence of path, optional
        Folders of indexes of texts that are searched as one, by the names under which they are served.
    encoder : EncoderFiles, optional
        What encodes texts that are reranked; by default the word vectors of the package.
    measure : str, optional
        What texts are reranked by, as in `Measure.of`.
    capacity : float, optional
        Its capacity.
    writable : bool, default False
        Allow changes of the indexes.
    token : str, optional
        What clients have to send as ``Authorization: Bearer …``; by default nothing.
    origins : sequence of str, optional
        Origins of other pages that browsers let call the service (CORS); none by default.
    hosts : sequence of str, optional
        Names and addresses by which clients may call the service, with ``*.`` for any names before; any by default.
        With an address of this machine among them, all of these are.
    deadline : float, default 30
        Most seconds for a request, waiting included. A request may ask for fewer.
    body_bytes : int, default 32 MiB
        Most bytes of a request.
    threads : int, optional
        Requests that are computed at a time; by default the number of cores.
    waiting : int, default 128
        Requests that may wait for one of these; others are refused with status 429.
    cache_bytes : int, default 256 MiB
        Size of the cache of encoded documents.
    """

    indexes: Mapping[str, Any] = field(default_factory=dict)
    shards: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    encoder: EncoderFiles = field(default_factory=EncoderFiles)
    measure: str = DEFAULT_MEASURE.name.partition("(")[0]
    capacity: float | None = DEFAULT_MEASURE.capacity
    writable: bool = False
    token: str | None = None
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    deadline: float = 30.0
    body_bytes: int = 1 << 25
    threads: int | None = None
    waiting: int = 128
    cache_bytes: int = 1 << 28

    def __post_init__(self) -> None:
        positive_number(self.deadline, "deadline")
        thread_count(self.threads)
        for name in ("body_bytes", "waiting"):
            whole_number(getattr(self, name), name, least=1)
        whole_number(self.cache_bytes, "cache_bytes", least=0)
        object.__setattr__(self, "indexes", {name: str(Path(path)) for name, path in self.indexes.items()})
        folders = {name: [str(Path(path)) for path in own] for name, own in self.shards.items()}
        object.__setattr__(self, "shards", folders)
        object.__setattr__(self, "origins", tuple(self.origins))
        object.__setattr__(self, "hosts", tuple(self.hosts))
        for host in self.hosts:
            if not is_name(host):
                raise ValueError(f"hosts: expected a name or an address without a port, got {host!r:.80}")

    def as_text(self) -> str:
        """All options as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Options:
        """Read what `as_text` wrote."""
        given = json.loads(text)
        return cls(**{**given, "encoder": EncoderFiles(**given["encoder"])})

    @classmethod
    def from_environment(cls) -> Options:
        """Options that a parent process has left in the environment."""
        return cls.from_text(os.environ[VARIABLE])
