"""Which encoder made the vectors of an index, judged by what it computes and not only by its dimension."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from moverank._support.validate import whole_number
from moverank.errors import EncoderMismatchError

#: A value of an option. None means unknown, and is never compared.
Option = str | int | float | bool | None

#: Characters of kind, name, and the options' names and values; options of one encoder.
LONGEST, MOST_OPTIONS = 1000, 100

_ABSENT = object()
_DIGEST = re.compile(r"[0-9a-f]{32}")


class _Options(dict[str, Option]):
    """A dictionary that cannot be changed; unlike a mapping proxy, it can be copied, and written as JSON."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("options: cannot be changed; make another identity with dataclasses.replace")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return _Options, (dict(self),)


@dataclass(frozen=True)
class EncoderIdentity:
    """Identifies an encoder, so that another one is recognised. Encoders have it as their attribute `identity`.

    Two encoders are the same if kind, dimension, digest and options are; names are compared only if there is no
    digest, as files can have any name. None means unknown, and is not compared.

    Parameters
    ----------
    kind : str
        What makes the vectors: usually the class of the encoder.
    name : str, optional
        Name of the file or the model; it tells encoders without a digest apart.
    dim : int, optional
        Dimension of the vectors.
    digest : str, optional
        Digest of everything learnt, such as files of weights and vocabularies: BLAKE2b of 16 bytes, as 32 hexadecimal
        digits.
    options : mapping of str to str, int, float, bool or None, optional
        Everything else that changes the vectors of a text: tokenization, lower case, length limit, prefixes.

    Raises
    ------
    TypeError, ValueError
        If a field is malformed; the message names it.

    Examples
    --------
    >>> print(EncoderIdentity("ColBERT", "answerai-colbert-small-v1", 96, options={"query_length": 32}))
    ColBERT 'answerai-colbert-small-v1' (dim 96, query_length 32)
    """

    kind: str
    name: str | None = None
    dim: int | None = None
    digest: str | None = None
    options: Mapping[str, Option] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require_text(self.kind, "kind")
        if self.name is not None:
            _require_text(self.name, "name")
        if self.dim is not None:
            whole_number(self.dim, "dim", least=1)
        if self.digest is not None:
            _require_text(self.digest, "digest")
            if not _DIGEST.fullmatch(self.digest):
                raise ValueError(f"digest: expected 32 hexadecimal digits, got {self.digest!r:.40}")
        options: Any = self.options
        if not isinstance(options, Mapping):
            raise TypeError(f"options: expected a mapping, got {type(options).__name__}")
        if len(self.options) > MOST_OPTIONS:
            raise ValueError(f"options: expected at most {MOST_OPTIONS}, got {len(self.options)}")
        for name, value in self.options.items():
            _require_text(name, "options")
            _require_option(name, value)
        # Ordered by name, so that equal ones print alike; and a copy, which the caller cannot change.
        object.__setattr__(self, "options", _Options(sorted(self.options.items())))

    @classmethod
    def of(cls, encoder: Any) -> EncoderIdentity:
        """Identity of an encoder; if it has none, all that is known of it: its class.

        Raises
        ------
        TypeError
            If it is neither an identity nor an encoder, or its attribute `identity` is something else.
        """
        if isinstance(encoder, EncoderIdentity):
            return encoder
        if isinstance(encoder, (str, type)) or not callable(getattr(encoder, "encode", None)):
            raise TypeError(
                f"encoder: expected an object with a method encode, got {type(encoder).__name__}; or its identity"
            )
        found = getattr(encoder, "identity", None)
        if found is None:
            return cls(type(encoder).__name__)
        if not isinstance(found, EncoderIdentity):
            raise TypeError(f"encoder: its identity has to be an EncoderIdentity, got {type(found).__name__}")
        return found

    @property
    def known(self) -> bool:
        """Whether it can be distinguished from others of its kind: it has a digest or a name."""
        return self.digest is not None or self.name is not None

    def differences(self, other: EncoderIdentity) -> tuple[str, ...]:
        """What both state, and differently: "kind", "name", "dim", "digest", names of options.

        Parameters
        ----------
        other : EncoderIdentity
            Of another encoder.

        Returns
        -------
        tuple of str
            Empty if nothing distinguishes them, or if one of the two is unknown.
        """
        given: Any = other
        if not isinstance(given, EncoderIdentity):
            raise TypeError(f"other: expected an EncoderIdentity, got {type(given).__name__}")
        if not (self.known and other.known):
            return ()
        if self.kind != other.kind:
            return ("kind",)
        compared: dict[str, tuple[object, object]] = {"dim": (self.dim, other.dim)}
        if self.digest is None or other.digest is None:
            compared["name"] = (self.name, other.name)
        compared["digest"] = (self.digest, other.digest)
        for name in sorted({*self.options, *other.options}):
            # An option that one of them lacks entirely is not an unknown one: it does something else.
            compared[name] = (self.options.get(name, _ABSENT), other.options.get(name, _ABSENT))
        return tuple(name for name, (ours, theirs) in compared.items() if None not in (ours, theirs) and ours != theirs)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values, for `from_json`."""
        return {
            "kind": self.kind,
            "name": self.name,
            "dim": self.dim,
            "digest": self.digest,
            "options": dict(self.options),
        }

    @classmethod
    def from_json(cls, value: Any) -> EncoderIdentity:
        """Identity from the result of `as_json`; TypeError or ValueError for anything else."""
        if not isinstance(value, dict) or set(value) != {"kind", "name", "dim", "digest", "options"}:
            raise ValueError(f"value: expected an object of kind, name, dim, digest and options, got {value!r:.60}")
        return cls(**value)

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.dim, self.digest, tuple(self.options.items())))

    def __str__(self) -> str:
        return self._shown(("dim", "digest", *self.options))

    def _shown(self, facts: Iterable[str]) -> str:
        """Kind, name and some facts."""
        said: dict[str, str] = {} if self.dim is None else {"dim": str(self.dim)}
        said |= {} if self.digest is None else {"digest": self.digest[:8]}
        said |= {name: "unknown" if value is None else repr(value) for name, value in self.options.items()}
        shown = ", ".join(f"{_plain(fact)} {said[fact]}" for fact in facts if fact in said)
        called = "without a name" if self.name is None else repr(self.name)
        return f"{_plain(self.kind)} {called}" + (f" ({shown})" if shown else "")


@dataclass(frozen=True)
class EncoderCheck:
    """What is known about an encoder and the one that made an index's vectors, which do not contradict each other.

    Attributes
    ----------
    same : bool
        They are the same, as far as both are known; False if that cannot be checked.
    statement : str
        The same as a sentence; also what ``str`` gives.
    """

    same: bool
    statement: str

    def __str__(self) -> str:
        return self.statement


def checked(built_with: EncoderIdentity | None, encoder: Any) -> EncoderCheck:
    """Compare an encoder with the one that an index was built with.

    Raises
    ------
    EncoderMismatchError
        If they differ; the message names both, and in what.
    TypeError
        If it is not an encoder.
    """
    given = EncoderIdentity.of(encoder)
    if built_with is None:
        return EncoderCheck(False, "not checked: the index does not say which encoder made its vectors")
    if not (built_with.known and given.known):
        which = f"the encoder given, {given}" if built_with.known else f"the index's encoder, {built_with}"
        return EncoderCheck(False, f"not checked: nothing distinguishes {which}, from others of its kind")
    differences = built_with.differences(given)
    if differences:
        raise EncoderMismatchError(
            f"encoder: the index was built with {built_with._shown(differences)}, given is "
            f"{given._shown(differences)}; they differ in {', '.join(map(_plain, differences))}"
        )
    return EncoderCheck(True, f"the index was built with {built_with}")


def _require_text(value: Any, name: str) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a string, got {value!r:.40}")
    if not 0 < len(value) <= LONGEST:
        raise ValueError(f"{name}: expected 1 to {LONGEST} characters, got {len(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: {value!r:.40} is not valid Unicode") from None


def _require_option(name: str, value: Any) -> None:
    if value is None or type(value) is bool:
        return
    if isinstance(value, str):
        if value:
            _require_text(value, f"options: {name!r:.40}")
    elif type(value) not in (int, float):
        raise TypeError(f"options: {name!r:.40}: expected a string, a number, True, False or None, got {value!r:.40}")
    elif not (math.isfinite(value) if type(value) is float else abs(value) < 1 << 63):
        raise ValueError(f"options: {name!r:.40}: expected a finite number of 64 bits, got {value!r:.40}")


def _plain(text: str) -> str:
    """Text without characters that terminals obey."""
    return text if text.isprintable() else repr(text)
