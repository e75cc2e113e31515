"""A TCP balancer in this process: one address for several servers, each new connection to the next one that lives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from harness.errors import Trouble

_CONNECT_TIMEOUT = 2.0
_BACKLOG = 1024


class Balancer:
    """Carries connections round robin, without looking into them; a server that refuses is passed over.

    When a server breaks a connection, its client sees that at once, as he would without a balancer in between. Where no
    server lives, a connection is taken and cut.

    Args:
        servers: host and port of each.
    """

    def __init__(self, servers: Sequence[tuple[str, int]]) -> None:
        self._servers = list(servers)
        self._next = 0
        self._listener: asyncio.Server | None = None
        self._sides: set[_Side] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self.url = ""
        """Where it listens, once it has started."""

    async def start(self) -> None:
        """Listens at a free port of 127.0.0.1. Raises Trouble where it cannot."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._accepted, "127.0.0.1", 0, backlog=_BACKLOG)
        except OSError as error:
            raise Trouble(f"the balancer cannot listen ({error.strerror})", "free a port of 127.0.0.1") from None
        host, port = self._listener.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"

    async def close(self) -> None:
        """Cuts every connection and stops listening. May be called twice."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for side in list(self._sides):
            side.cut()
        await listener.wait_closed()

    def _accepted(self) -> _Side:
        return _Side(self._sides, self._arrived)

    def _arrived(self, client: _Side) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(client), name="balancer: connect")
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, client: _Side) -> None:
        """Ties a client to the next server that takes him."""
        first, self._next = self._next, (self._next + 1) % len(self._servers)
        for host, port in [*self._servers[first:], *self._servers[:first]]:
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT):
                    _, server = await asyncio.get_running_loop().create_connection(self._called, host, port)
            except (OSError, TimeoutError):
                continue
            tie(client, server)
            return
        client.cut()

    def _called(self) -> _Side:
        return _Side(self._sides)


class _Side(asyncio.Protocol):
    """One end of a carried connection: what comes in here goes out at the other, no faster than it can."""

    def __init__(self, sides: set[_Side], made: Callable[[_Side], None] = lambda _: None) -> None:
        self._sides = sides
        self._made = made
        self._transport: asyncio.Transport | None = None
        self._gone = False
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing is read before there is another end."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 — TCP has no other
        self._transport = transport
        self._sides.add(self)
        transport.pause_reading()
        self._made(self)

    def data_received(self, data: bytes) -> None:
        """Passes it on."""
        if self.other is not None and self.other._transport is not None:
            self.other._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end hears what is on its way, and then that this one has gone; how, when it broke."""
        self._gone = True
        self._sides.discard(self)
        if self.other is not None and exc is not None:
            self.other.cut()
        elif self.other is not None:
            self.other.hang_up()

    def pause_writing(self) -> None:
        """This end is slow: the other one waits."""
        if self.other is not None:
            self.other.read(on=False)

    def resume_writing(self) -> None:
        """This end has caught up."""
        if self.other is not None:
            self.other.read(on=True)

    def read(self, *, on: bool) -> None:
        """Goes on reading, or stops for now."""
        if self._transport is not None and not self._transport.is_closing():
            if on:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def hang_up(self) -> None:
        """Closes when everything has been sent."""
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """Closes at once, with a reset."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def gone(self) -> bool:
        """Whether the connection has ended."""
        return self._gone


def tie(client: _Side, server: _Side) -> None:
    """Makes two ends one connection; where the client has gone meanwhile, the server's end goes too."""
    client.other, server.other = server, client
    if client.gone:
        server.cut()
        return
    client.read(on=True)
    server.read(on=True)
