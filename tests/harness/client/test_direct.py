"""Messages of a WebSocket that are heard when they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from harness.client.direct import DirectConnection

LONG = ["in ", "three ", "parts"]


@pytest.fixture
async def wire() -> AsyncIterator[DirectConnection]:
    """A connection to a server that waits for a word, then says something in every form, and hangs up."""

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        for message in ("1", "2", LONG, "4", b"5", "6"):
            await connection.send(message)
        await connection.recv()
        await connection.send("7")

    async with serve(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", create_connection=DirectConnection) as connection:
            yield cast("DirectConnection", connection)


async def test_the_order_is_kept(wire: DirectConnection):
    """Whole texts are heard at once, until one comes in parts; what comes after it waits until it was taken."""
    heard: list[str | bytes] = []
    wire.hear = heard.append
    await wire.send("go")
    async with asyncio.timeout(5):
        queued = [await wire.next_queued() for _ in range(4)]
        assert (heard, queued) == ([b"1", b"2"], ["".join(LONG), "4", b"5", "6"])
        await wire.send("go on")
        with pytest.raises(ConnectionClosed):
            await wire.next_queued()
    assert heard[2:] == [b"7"]


async def test_without_an_ear_all_wait(wire: DirectConnection):
    """As with the library's own connection."""
    await wire.send("go")
    async with asyncio.timeout(5):
        assert [await wire.next_queued() for _ in range(6)] == ["1", "2", "".join(LONG), "4", b"5", "6"]
