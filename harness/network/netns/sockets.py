"""Sockets of this process on hosts of another namespace: whoever opens one inside `on(host)` opens it there.

The running event loop's `create_datagram_endpoint` and `create_connection` are wrapped for as long as the lab lasts.
Inside `on(…)`, and in tasks started there, they ask the keeper for the socket; elsewhere they do what they always did.
That is all that unmodified aiortc needs, with the address that it gathers on (host_addresses.py).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from harness.network.host_addresses import offered
from harness.network.netns.keeper import Keeper, Namespace


@dataclass(frozen=True, slots=True)
class Host:
    """Where sockets are opened: a namespace, its address, and the context for TLS that does not name its own."""

    keeper: Keeper
    namespace: Namespace
    address: str
    trust: ssl.SSLContext

    def socket(self, kind: socket.SocketKind, local: tuple[str, int] | None = None) -> socket.socket:
        """A socket on this host, bound to `local` or to any port of the host's address. Raises OSError."""
        return self.keeper.socket(self.namespace, kind, local or (self.address, 0))


_here: ContextVar[Host | None] = ContextVar("host", default=None)


@contextmanager
def on(host: Host) -> Iterator[None]:
    """Whoever opens sockets or gathers candidates inside this block (and in tasks started there) does it there."""
    token = _here.set(host)
    try:
        with offered((host.address,)):
            yield
    finally:
        _here.reset(token)


@contextmanager
def taking_sockets_there(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Wraps the loop's two methods for as long as the block lasts."""
    own: dict[str, Any] = {name: getattr(loop, name) for name in ("create_datagram_endpoint", "create_connection")}

    async def create_datagram_endpoint(
        factory: Any, local_addr: Any = None, remote_addr: Any = None, *, sock: socket.socket | None = None, **more: Any
    ) -> Any:
        host = _here.get()
        if host is None or sock is not None:
            return await own["create_datagram_endpoint"](factory, local_addr, remote_addr, sock=sock, **more)
        made = host.socket(socket.SOCK_DGRAM, local_addr)
        with _closed_on_error(made):
            if remote_addr is not None:
                made.connect(remote_addr)
            return await own["create_datagram_endpoint"](factory, sock=made)

    async def create_connection(
        factory: Any,
        host: Any = None,
        port: Any = None,
        *,
        sock: socket.socket | None = None,
        ssl: Any = None,
        **more: Any,
    ) -> Any:
        here = _here.get()
        if here is None or sock is not None:
            return await own["create_connection"](factory, host, port, sock=sock, ssl=ssl, **more)
        made = here.socket(socket.SOCK_STREAM, more.pop("local_addr", None))
        with _closed_on_error(made):
            await loop.sock_connect(made, (host, port))
            if ssl:
                more.setdefault("server_hostname", host)
            return await own["create_connection"](factory, sock=made, ssl=here.trust if ssl is True else ssl, **more)

    for method in (create_datagram_endpoint, create_connection):
        setattr(loop, method.__name__, method)
    try:
        yield
    finally:
        for name, method in own.items():
            setattr(loop, name, method)


@contextmanager
def _closed_on_error(made: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        made.close()
        raise
