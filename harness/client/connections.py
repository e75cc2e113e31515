"""HTTP/1.1 over kept connections: one request and its whole answer, and nothing else that a client for everything has.

No cookies, redirects, proxies or streams: a generator makes a dozen requests for each pair, and what they cost decides
how many pairs it can make. The parser is that of Node.js (llhttp, through httptools).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from ipaddress import ip_address
from typing import Self, cast
from urllib.parse import urlsplit

import httptools

KEEPALIVE = 4.0
"""Seconds for which an idle connection is good for anything. Less than the 5 s after which common servers drop one, so
that no request goes into a connection that is being closed."""
IDLE = 30.0
"""Seconds for which it is kept, for a GET: that is sent again where the connection turns out to be gone. Thousands who
poll would else open and close hundreds of connections a second, and run out of ports."""
MOST = 1_000
"""Connections at once; who finds none free waits for one. It is more than a server works on at the same time, and less
than its system keeps for it unaccepted (2,048 is usual): what is over is asked for again after 1 s, 3 s and 7 s. And
each that is open costs a file and a port."""
_SWEEP = 4.0
_LATE = 0.05
"""How late a request may be given up, as a share of the time that it may take."""
LARGEST = 64 * 2**20
"""Bytes of an answer's body that are taken, packed or unpacked."""
_ALIKE = "Accept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: gurukul\r\n"
_GZIP = 16 + zlib.MAX_WBITS


class Disconnected(ConnectionError):
    """The connection ended before the answer did."""


class NotHttp(Exception):
    """What came is no answer of HTTP/1.1, or too long."""


@dataclass(slots=True)
class Response:
    """An answer: its status, its headers as they came, and its body unpacked."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of the first header of this name, which is in lower case; None where there is none."""
        wanted = name.encode()
        for key, value in self.headers:
            if key.lower() == wanted:
                return value.decode("latin-1")
        return None

    @property
    def has_length(self) -> bool:
        """Whether the headers tell where the body ends; else it ends with the connection."""
        return self.header("content-length") is not None or self.header("transfer-encoding") is not None


@dataclass(frozen=True, slots=True)
class _Origin:
    host: str
    port: int
    secure: bool
    named: str
    """As the header `Host` has it."""
    literal: bool
    """Whether the host is an address, which needs no look-up."""


class Connections:
    """Connections to any number of servers, for all users of one event loop. An async context manager; else close it.

    Args:
        timeout: seconds that one request may take in all.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._open: set[_Connection] = set()
        self._idle: defaultdict[_Origin, deque[_Connection]] = defaultdict(deque)
        self._sweep: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False
        self._places = asyncio.Semaphore(MOST)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Response:
        """Sends a request and waits for its answer.

        A GET whose kept connection turns out to be dead is sent once more, over a new one (RFC 9110 section 9.2.2).

        Args:
            method: any but HEAD and CONNECT.
            url: of `http` or `https`, encoded.
            headers: besides Host, Content-Length and those that are always the same.
            body: its bytes, if it has one.

        Raises:
            OSError: nobody is there (ConnectionRefusedError), it took too long (TimeoutError), or the connection broke.
            NotHttp: what came is no answer.
            ValueError: this is no request: a URL without a host, a line break in a header.
        """
        origin, path = _split(url)
        wire = _rendered(method, path, origin.named, headers, body)
        deadline = asyncio.get_running_loop().time() + self._timeout
        if self._places.locked():
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            return await self._answered(method, origin, wire, deadline)
        finally:
            self._places.release()

    async def _answered(self, method: str, origin: _Origin, wire: bytes, deadline: float) -> Response:
        connection = self._kept(origin, IDLE if method == "GET" else KEEPALIVE)
        if connection is not None:
            try:
                return await self._exchange(origin, connection, wire, deadline)
            except ConnectionError:
                if method != "GET" or connection.heard:
                    raise
        async with asyncio.timeout_at(deadline):
            connection = await self._connected(origin)
        return await self._exchange(origin, connection, wire, deadline)

    async def close(self) -> None:
        """Cuts all connections, and with them what is under way; returns when they are gone. May be called twice."""
        self._closed = True
        for timer in (self._sweep, self._watch):
            if timer is not None:
                timer.cancel()
        for connection in self._open:
            connection.cut()
        while self._open:
            await next(iter(self._open)).gone.wait()

    async def _exchange(self, origin: _Origin, connection: _Connection, wire: bytes, deadline: float) -> Response:
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(self._timeout * _LATE, self._give_up)
        response = await connection.exchange(wire, deadline)
        if connection.reusable:
            self._keep(origin, connection)
        else:
            connection.cut()
        return response

    def _give_up(self) -> None:
        """Gives up what is too late, and comes again while anything is under way: one timer watches over all."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        under_way = [connection for connection in self._open if connection.due is not None]
        for connection in under_way:
            connection.late(now)
        self._watch = loop.call_later(self._timeout * _LATE, self._give_up) if under_way else None

    # ------------------------------------------------------------ kept connections

    def _kept(self, origin: _Origin, longest: float) -> _Connection | None:
        """The connection that was used last, if it still stands and has been idle for less than so many seconds."""
        waiting, now = self._idle[origin], asyncio.get_running_loop().time()
        while waiting and not waiting[-1].reusable:
            waiting.pop().cut()
        return waiting.pop() if waiting and waiting[-1].idle_since > now - longest else None

    def _keep(self, origin: _Origin, connection: _Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle[origin].append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(_SWEEP, self._cut_idle)

    def _cut_idle(self) -> None:
        """Cuts what has been idle for too long, and comes again while there is anything left."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE
        for waiting in self._idle.values():
            while waiting and waiting[0].idle_since <= oldest:
                waiting.popleft().cut()
        left = any(self._idle.values()) and not self._closed
        self._sweep = loop.call_later(_SWEEP, self._cut_idle) if left else None

    # ------------------------------------------------------------ new connections

    async def _connected(self, origin: _Origin) -> _Connection:
        """A new connection, to the first of the server's addresses that takes it; else the last one's error."""
        if self._closed:
            raise Disconnected("the connections were closed")
        failure = OSError(f"{origin.host} has no address")
        for address in await _addresses(origin):
            try:
                return await self._connect(origin, address)
            except OSError as error:
                failure = error
        raise failure

    async def _connect(self, origin: _Origin, address: str) -> _Connection:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(self._open), address, origin.port,
            ssl=self._tls if origin.secure else None, server_hostname=origin.host if origin.secure else None,
        )  # fmt: skip
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context


class _Connection(asyncio.Protocol):
    """One connection, with one request at a time. It is in `among` for as long as it is open."""

    def __init__(self, among: set[_Connection]) -> None:
        self.gone = asyncio.Event()
        self.heard = False
        """Whether anything of the answer to the last request has come."""
        self.idle_since = 0.0
        self.due: float | None = None
        """When the request that is under way must be answered, in the loop's time."""
        self._among = among
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._response = Response()
        self._parts: list[bytes] = []
        self._size = 0
        self._kept_alive = False
        self._in_body = False

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent: the server keeps it, and has said nothing since."""
        return self._kept_alive and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, wire: bytes, deadline: float) -> Response:
        """Sends a request and waits for its answer; whoever is cancelled here leaves a connection that is cut.

        After the deadline, a time of the loop, `late` makes it a TimeoutError.
        """
        if self._transport is None or self._transport.is_closing():
            raise Disconnected("the server closed the connection")
        self.heard = self._kept_alive = False
        self._answer = asyncio.get_running_loop().create_future()
        self.due = deadline
        self._transport.write(wire)
        try:
            return _unpacked(await self._answer)
        except BaseException:
            self.cut()
            raise
        finally:
            self._answer = self.due = None

    def late(self, now: float) -> None:
        """It is this late: gives up the request whose time is over."""
        if self.due is not None and self.due <= now:
            self._failed(TimeoutError())

    def cut(self) -> None:
        """Ends the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    # ------------------------------------------------------------ what the transport tells (asyncio.Protocol)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none in name
        self._among.add(self)

    def data_received(self, data: bytes) -> None:
        """A part of an answer; what nobody asked for ends the connection."""
        self.heard = True
        if self._answer is None:
            self.cut()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._failed(NotHttp(str(error.__context__ or error) or "this is not HTTP"))

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone; that is also how an answer may end that does not tell its length."""
        self._transport = None
        self._among.discard(self)
        self.gone.set()
        if error is None and self._in_body and not self._response.has_length:
            self._complete()
        self._failed(error or Disconnected("the server closed the connection"))

    # ------------------------------------------------------------ what the parser tells (httptools)

    def on_message_begin(self) -> None:
        """A new answer."""
        self._response, self._parts, self._size = Response(), [], 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of it."""
        self._response.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The body follows, if there is one."""
        self._response.status = self._parser.get_status_code()
        self._in_body = True

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._size += len(data)
        if self._size > LARGEST:
            raise NotHttp(f"an answer of more than {LARGEST} bytes")
        self._parts.append(data)

    def on_message_complete(self) -> None:
        """The end of an answer, or of one that only says that more will follow (1xx)."""
        self._in_body = False
        if self._response.status >= 200:
            self._kept_alive = self._parser.should_keep_alive()
            self._complete()

    def _complete(self) -> None:
        self._response.body = b"".join(self._parts)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._response)

    def _failed(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


async def _addresses(origin: _Origin) -> Iterable[str]:
    """The addresses of the server, in the order of the resolver's preference."""
    if origin.literal:
        return (origin.host,)
    found = await asyncio.get_running_loop().getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    return dict.fromkeys(str(address[0]) for *_, address in found)


def _split(url: str) -> tuple[_Origin, str]:
    """Where a URL leads, and what to ask for there."""
    at = url.find("/", len("https://"))
    return (_origin(url), "/") if at < 0 else (_origin(url[:at]), url[at:])


@lru_cache(maxsize=256)
def _origin(base: str) -> _Origin:
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"no URL of HTTP: {base!r:.80}")
    secure, literal = parts.scheme == "https", False
    with suppress(ValueError):
        literal = bool(ip_address(parts.hostname))
    named = parts.netloc.rpartition("@")[2]
    return _Origin(parts.hostname, parts.port or (443 if secure else 80), secure, named, literal)


def _rendered(method: str, path: str, host: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """The bytes of a request. Raises ValueError where a header would end early."""
    length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
    fields = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{_ALIKE}{length}{''.join(fields)}\r\n"
    lines = 6 + len(fields) + bool(length)
    if head.count("\n") != lines or head.count("\r") != lines:
        raise ValueError("a line break in the head of a request")
    return head.encode() + body if body else head.encode()


def _unpacked(response: Response) -> Response:
    """The response with its body as it was before it was packed. Raises NotHttp where it cannot be unpacked."""
    if response.body and response.header("content-encoding") in {"gzip", "x-gzip"}:
        unpacker = zlib.decompressobj(_GZIP)
        try:
            response.body = unpacker.decompress(response.body, LARGEST)
        except zlib.error as error:
            raise NotHttp(f"a body that cannot be unpacked ({error})") from None
        if unpacker.unconsumed_tail:
            raise NotHttp(f"an answer of more than {LARGEST} bytes")
    return response
