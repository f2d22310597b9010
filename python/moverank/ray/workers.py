"""Actors of Ray Data: how many there are, what each may use, and how an encoder gets there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from moverank._support.optional import optional
from moverank._support.validate import positive_number, whole_number
from moverank.encoders.encoded import Encoder, require_encoder
from moverank.encoders.onnx import OnnxEncoder
from moverank.encoders.word_vectors import WordVectors

if TYPE_CHECKING:
    from ray.data import Dataset

#: An encoder, or what makes one where it is needed.
EncoderOrFactory = Encoder | Callable[[], Encoder]

#: Number of actors: fixed, or the least and the most.
Concurrency = int | tuple[int, int]


def started() -> Any:
    """The module of Ray Data.

    Raises
    ------
    ImportError
        If Ray is not installed; the message names the extra.
    RuntimeError
        If Ray has not been started.
    """
    ray = optional("ray", "ray")
    data = optional("ray.data", "ray")
    if not ray.is_initialized():
        raise RuntimeError(
            "Ray has not been started: call ray.init() first, with the address of a cluster if there is one"
        )
    return data


def mapped(
    dataset: Dataset,
    work: type[Any],
    arguments: Mapping[str, Any],
    *,
    batch_size: int,
    num_cpus: float,
    concurrency: Concurrency | None,
    ray_remote_args: Mapping[str, Any] | None,
) -> Dataset:
    """Apply a callable class to all batches, as tables of Arrow; it gets its arguments and `num_threads`.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed; the message names it.
    """
    data = started()
    if not isinstance(dataset, data.Dataset):
        raise TypeError(f"dataset: expected a ray.data.Dataset, got {type(dataset).__name__}")
    whole_number(batch_size, "batch_size", least=1)
    made: Dataset = dataset.map_batches(
        work,
        fn_constructor_kwargs={**arguments, "num_threads": threads_of(num_cpus)},
        batch_size=batch_size,
        batch_format="pyarrow",
        compute=_pool(data, concurrency),
        num_cpus=num_cpus,
        **(ray_remote_args or {}),
    )
    return made


def threads_of(num_cpus: float) -> int:
    """Threads of an actor that has so many CPUs."""
    return max(int(positive_number(num_cpus, "num_cpus")), 1)


def _pool(data: Any, concurrency: Concurrency | None) -> Any:
    if concurrency is None:
        return data.ActorPoolStrategy()
    if isinstance(concurrency, tuple):
        if len(concurrency) != 2:
            raise ValueError(f"concurrency: expected a number or a pair of numbers, got {concurrency!r:.40}")
        least, most = (whole_number(count, "concurrency", least=1) for count in concurrency)
        return data.ActorPoolStrategy(min_size=least, max_size=most)
    return data.ActorPoolStrategy(size=whole_number(concurrency, "concurrency", least=1))


def made(encoder: EncoderOrFactory | None) -> Encoder:
    """The encoder; that of the package by default.

    Raises
    ------
    TypeError
        If it is not an encoder, and does not make one.
    """
    if encoder is None:
        return WordVectors.default()
    found: Any = encoder() if _is_factory(encoder) else encoder  # type: ignore[operator]
    require_encoder(found)
    checked: Encoder = found
    return checked


def _is_factory(encoder: EncoderOrFactory) -> bool:
    return callable(encoder) and not hasattr(encoder, "encode")


def sent(encoder: EncoderOrFactory | None, num_cpus: float) -> EncoderOrFactory | None:
    """What goes to the actors in place of an encoder: one of ONNX runs there on as many threads as an actor has."""
    if isinstance(encoder, OnnxEncoder) and encoder._options["num_threads"] is None:
        options = {**encoder._options, "num_threads": threads_of(num_cpus)}
        return partial(OnnxEncoder, *encoder._arguments, **options)
    if encoder is not None and not _is_factory(encoder):
        require_encoder(encoder)
    return encoder
