"""HTTP/1.1 with as little as a load generator needs: no cookies, no redirects, no compression, one request at a time.

It takes less of the processor than a full client, so that more of a shared machine is left to what is measured.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

_MOST = 512
"""Connections at the same time; who finds none free waits for one."""


class Malformed(Exception):
    """The answer is not HTTP/1.1 as it is read here."""


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came; header names are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        """The value of the header of this name, which is in small letters; None where there is none."""
        return self.headers.get(name)


class _Place(NamedTuple):
    """Where a URL points: who listens there, and the path to ask for."""

    host: str
    port: int
    tls: bool
    name: str
    path: str


@cache
def _origin(scheme: str, netloc: str) -> tuple[str, int, bool]:
    parts = urlsplit(f"{scheme}://{netloc}")
    tls = scheme == "https"
    return parts.hostname or "", parts.port or (443 if tls else 80), tls


def _place(url: str) -> _Place:
    scheme, _, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    return _Place(*_origin(scheme, netloc), netloc, slash + path or "/")


class LeanHttp:
    """Connections that are kept and used again, the last one first. Close it at the end.

    Args:
        timeout: seconds that one request may take, from when its connection is free.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._free: dict[tuple[str, int, bool], list[_Wire]] = {}
        self._wires: set[_Wire] = set()
        self._room = asyncio.Semaphore(_MOST)

    async def request(self, method: str, url: str, headers: dict[str, str], data: bytes | None) -> RawAnswer:
        """Sends one request and reads its answer.

        Raises:
            OSError, TimeoutError, Malformed: no connection, no answer in time, or none that can be read.
        """
        place = _place(url)
        lines = [f"{method} {place.path} HTTP/1.1", f"Host: {place.name}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if data is not None or method != "GET":
            lines.append(f"Content-Length: {len(data or b'')}")
        request = "\r\n".join([*lines, "", ""]).encode("latin-1") + (data or b"")
        async with self._room:
            return await self._exchange((place.host, place.port, place.tls), request)

    async def _exchange(self, origin: tuple[str, int, bool], request: bytes) -> RawAnswer:
        async with asyncio.timeout(self._timeout):
            wire = await self._wire(origin)
            try:
                answer = await wire.ask(request)
            except BaseException:
                wire.close()
                raise
            if wire.reusable:
                self._free.setdefault(origin, []).append(wire)
            else:
                wire.close()
            return answer

    async def _wire(self, origin: tuple[str, int, bool]) -> _Wire:
        free = self._free.get(origin, [])
        while free:
            wire = free.pop()
            if wire.reusable:
                return wire
        host, port, tls = origin
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(lambda: _Wire(self._wires), host, port, ssl=tls or None)
        return wire

    async def close(self) -> None:
        """Closes every connection. May be called twice."""
        gone = [wire.gone for wire in self._wires]
        for wire in list(self._wires):
            wire.close()
        if gone:
            await asyncio.wait(gone)


class _Wire(asyncio.Protocol):
    """One connection with one request under way at most."""

    def __init__(self, wires: set[_Wire]) -> None:
        self._wires = wires
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[RawAnswer] | None = None
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reusable = True

    async def ask(self, request: bytes) -> RawAnswer:
        """Sends a request; returns with its answer."""
        if self._transport is None or self.gone.done():
            raise ConnectionResetError("the connection was closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Closes the connection at once."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport, for a stream was asked for
        self._wires.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        self._wires.discard(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed before the answer was whole"))
        if not self.gone.done():
            self.gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked: what follows could not be told from an answer
            return
        try:
            answer = read_answer(self._buffer)
        except (Malformed, ValueError) as error:
            self._answer.set_exception(Malformed(str(error)))
            self.close()
            return
        if answer is not None:
            self._buffer = b""
            self.reusable = answer.headers.get("connection", "").lower() != "close"
            self._answer.set_result(answer)


def read_answer(data: bytes) -> RawAnswer | None:
    """Reads an answer with a Content-Length, in chunks, or of a status without a body; None while it is not whole.

    Raises:
        Malformed, ValueError: it is none of these.
    """
    head, whole, rest = data.partition(b"\r\n\r\n")
    if not whole:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/1.1 "):
        raise Malformed(f"the answer begins with {first[:40]!r}")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first[9:12])
    if status in {204, 304}:
        return RawAnswer(status, headers, b"")
    if "content-length" in headers:
        length = int(headers["content-length"])
        return RawAnswer(status, headers, rest) if len(rest) >= length else None
    if headers.get("transfer-encoding", "").lower() != "chunked":
        raise Malformed("the answer has neither a Content-Length nor chunks")
    body = _unchunked(rest)
    return None if body is None else RawAnswer(status, headers, body)


def _unchunked(rest: bytes) -> bytes | None:
    """The body of an answer in chunks; None while the last one has not come."""
    parts: list[bytes] = []
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found:
            return None
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            return b"".join(parts) if rest.endswith(b"\r\n") else None
        if len(rest) < size + 2:
            return None
        parts.append(rest[:size])
        rest = rest[size + 2 :]
