"""Names of the service, by which pages of others are told from its own.

A page can have its own name lead to this machine once it is open (DNS rebinding), and is then of the same origin as the
service; its requests still have that name in ``Host``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

#: Names of this machine; every address of it is allowed with them.
LOCAL = ("localhost", "127.0.0.1", "::1")

_NAME = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*")


def is_local(host: str) -> bool:
    """Whether a name or an address is this machine's own, which no other machine reaches."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def is_name(host: str) -> bool:
    """Whether it is a name, perhaps after ``*.``, or an address."""
    return _address(host) is not None or _NAME.fullmatch(host) is not None


def is_one_of(header: str, hosts: Sequence[str]) -> bool:
    """Whether what came as ``Host`` is one of these; ``*.`` in front stands for any names before."""
    given = _without_port(header).lower()
    if is_local(given) and any(is_local(host) for host in hosts):
        return True
    return any(given == host.lower() or (host[:2] == "*." and given.endswith(host[1:].lower())) for host in hosts)


def _without_port(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].removesuffix(".")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
