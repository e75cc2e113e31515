"""The balancer: round robin over the servers that live, bytes untouched, and a broken connection is seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from harness.lab.balancer import Balancer

LARGE = bytes(range(256)) * 40_000


@asynccontextmanager
async def echo(name: bytes) -> AsyncIterator[asyncio.Server]:
    """A server that says its name and then repeats what it hears."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(name)
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.cut = lambda: [writer.transport.abort() for writer in writers]
    try:
        yield server
    finally:
        server.close()
        server.cut()


@asynccontextmanager
async def balancing(*servers: asyncio.Server) -> AsyncIterator[Balancer]:
    """A balancer over these."""
    balancer = Balancer([server.sockets[0].getsockname()[:2] for server in servers])
    await balancer.start()
    try:
        yield balancer
    finally:
        await balancer.close()
        await balancer.close()


async def call(balancer: Balancer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection through it."""
    parts = urlsplit(balancer.url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def greeting(balancer: Balancer) -> bytes:
    """Who answers a new connection; empty where it is cut."""
    reader, writer = await call(balancer)
    try:
        return await reader.read(1)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_connections_go_round():
    """Each new connection goes to the next server."""
    async with echo(b"A") as one, echo(b"B") as two, balancing(one, two) as balancer:
        assert [await greeting(balancer) for _ in range(4)] == [b"A", b"B", b"A", b"B"]


async def test_a_dead_server_is_passed_over():
    """Who refuses gets nobody; the others get all."""
    async with echo(b"A") as one, echo(b"B") as two, balancing(one, two) as balancer:
        one.close()
        assert [await greeting(balancer) for _ in range(3)] == [b"B"] * 3


async def test_nobody_lives():
    """A connection that no server takes is cut, not left hanging."""
    async with echo(b"A") as one, balancing(one) as balancer:
        one.close()
        assert await asyncio.wait_for(greeting(balancer), 10) == b""


async def test_bytes_come_through_untouched():
    """Ten megabytes go there and back, also while the reader is slow."""
    async with echo(b"A") as one, balancing(one) as balancer:
        reader, writer = await call(balancer)
        sending = asyncio.create_task(send(writer, LARGE))
        assert await reader.readexactly(1) == b"A"
        assert await reader.readexactly(len(LARGE)) == LARGE
        await sending
        writer.close()


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Sends it all."""
    writer.write(data)
    await writer.drain()


async def test_the_servers_end_is_the_clients_end():
    """A server that dies takes its connections with it, as its client sees."""
    async with echo(b"A") as one, balancing(one) as balancer:
        reader, writer = await call(balancer)
        assert await reader.readexactly(1) == b"A"
        one.cut()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 10)
        writer.close()
