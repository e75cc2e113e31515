"""Which addresses a peer offers as host candidates, chosen per peer and not per process.

aioice lists the machine's interfaces each time it gathers, and leaves out loopback. It offers no way to say otherwise,
so its function is replaced once by one that looks at a context variable: tasks started inside `offered(…)` see the
addresses given there, all others see what aioice would.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aioice.ice

_chosen: ContextVar[tuple[str, ...] | None] = ContextVar("host_addresses", default=None)
_of_the_machine = aioice.ice.get_host_addresses


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    chosen = _chosen.get()
    if chosen is None:
        return _of_the_machine(use_ipv4, use_ipv6)
    return [address for address in chosen if (use_ipv6 if ":" in address else use_ipv4)]


@contextmanager
def offered(addresses: tuple[str, ...]) -> Iterator[None]:
    """Candidates gathered inside this block (and in tasks started there) are on these addresses alone."""
    aioice.ice.get_host_addresses = _host_addresses
    token = _chosen.set(addresses)
    try:
        yield
    finally:
        _chosen.reset(token)
