"""A server in a process of its own on a fresh database, and sockets that cost their client next to nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import orjson
import psutil

from reference_server.auth import TokenSigner
from reference_server.settings import LOCAL_JWT_SECRET

SIGNER = TokenSigner(LOCAL_JWT_SECRET)
_KEY = base64.b64encode(bytes(16)).decode()
_UPGRADE = (
    "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def cpu_of(process: psutil.Process) -> float:
    """Seconds of processor time that it has taken."""
    used = process.cpu_times()
    return float(used.user + used.system)


@dataclass
class Deployment:
    """The server's process, and a pool of connections of our own."""

    url: str
    key: str
    process: psutil.Process
    pool: Any

    def cpu(self) -> float:
        """Seconds of processor time that the server has taken."""
        return cpu_of(self.process)

    def memory(self) -> int:
        """Bytes that the server has in memory."""
        return int(self.process.memory_info().rss)

    async def users(self, count: int) -> list[UUID]:
        """Makes accounts."""
        users = [uuid4() for _ in range(count)]
        await self.pool.execute("insert into auth.users (id, is_anonymous) select unnest($1::uuid[]), true", users)
        return users

    async def open(self, take: Callable[[bytes], None] = lambda _payload: None) -> Socket:
        """An open socket of version 2.0.0 that gives each message to `take`."""
        address = urlsplit(self.url)
        path = f"/realtime/v1/websocket?apikey={self.key}&vsn=2.0.0"
        loop = asyncio.get_running_loop()
        _transport, socket = await loop.create_connection(lambda: Socket(path, take), address.hostname, address.port)
        await socket.opened
        return socket


@asynccontextmanager
async def deployed(postgres_url: str, engine: str, *flags: str) -> AsyncIterator[Deployment]:
    """A server with these flags, for as long as the block lasts."""
    name = f"bench_{uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"create database {name}")
    url = postgres_url.replace("/postgres?", f"/{name}?")
    arguments = [sys.executable, "-m", "reference_server", "--database-url", url, "--engine", engine, *flags]
    child = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        ready = json.loads(await child.stdout.readline())
        async with asyncpg.create_pool(url, min_size=4, max_size=4) as pool:
            yield Deployment(ready["url"], ready["anon_key"], psutil.Process(child.pid), pool)
    finally:
        child.terminate()
        await child.wait()
        await owner.execute(f"drop database {name} with (force)")
        await owner.close()


class Socket(asyncio.Protocol):
    """A WebSocket client that answers pings (RFC 6455) and otherwise only hands out the messages that come."""

    def __init__(self, path: str, take: Callable[[bytes], None]) -> None:
        self._path = path
        self._take = take
        self._data = b""
        self._wanted: tuple[bytes, asyncio.Future[None]] | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def join(self, topic: str, user: UUID, *bindings: dict[str, str]) -> None:
        """Joins a channel, and waits until its database subscription is made where it has bindings."""
        claims = {"sub": str(user), "role": "authenticated", "exp": int(time.time()) + 3600}
        payload = {"config": {"postgres_changes": bindings}, "access_token": SIGNER.sign(claims)}
        self._wanted = b'"system"' if bindings else b'"phx_reply"', asyncio.get_running_loop().create_future()
        self.send(orjson.dumps(["1", "1", f"realtime:{topic}", "phx_join", payload]))
        await self._wanted[1]

    def send(self, payload: bytes, first: int = 0x81) -> None:
        """Sends a frame; its mask is zero."""
        size = len(payload)
        head = bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + size.to_bytes(2, "big")
        self._transport.write(bytes([first]) + head + bytes(4) + payload)

    def close(self) -> None:
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write((_UPGRADE % self._path).encode())

    def connection_lost(self, exc: Exception | None) -> None:
        for waiting in (self.opened, self._wanted[1] if self._wanted else None):
            if waiting is not None and not waiting.done():
                waiting.set_exception(ConnectionError(f"the socket was closed ({exc})"))

    def data_received(self, data: bytes) -> None:
        data = self._data + data
        if not self.opened.done():
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._data = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.opened.set_result(None)
        at = 0
        while (end := _end_of_frame(data, at)) is not None:
            self._frame(data[at] & 15, data[at + (2 if data[at + 1] < 126 else 4 if data[at + 1] == 126 else 10) : end])
            at = end
        self._data = data[at:]

    def _frame(self, kind: int, payload: bytes) -> None:
        if kind == 9:  # ping
            self.send(payload, 0x8A)
        elif kind in {1, 2}:
            if self._wanted is not None and self._wanted[0] in payload:
                self._wanted[1].set_result(None)
                self._wanted = None
            self._take(payload)


def _end_of_frame(data: bytes, at: int) -> int | None:
    """Where the frame (not masked) that begins at `at` ends; None while it is not whole."""
    if len(data) < at + 2:
        return None
    size, head = data[at + 1], 2
    if size >= 126:
        head = 4 if size == 126 else 10
        if len(data) < at + head:
            return None
        size = int.from_bytes(data[at + 2 : at + head], "big")
    end = at + head + size
    return end if end <= len(data) else None


def allow_files(count: int) -> None:
    """Lets this process, and those that it starts, open so many files."""
    import resource

    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= count, f"{count} files must be allowed (ulimit -Hn is {hard})"
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(count, _soft)), hard))
