"""Sockets whose client has gone silent, or reads too slowly: the server finds out and lets go."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from websockets.exceptions import ConnectionClosed

from reference_server.db import Database
from reference_server.realtime import socket as realtime_socket
from reference_server.realtime.socket import Socket
from reference_server.settings import Settings
from tests.reference_server.realtime.conftest import PATIENCE, Client, Site, running_site

QUICK = Settings(ping_interval=0.2, ping_timeout=0.2)


def go_silent(client: Client) -> None:
    """Stops reading: pings stay unanswered, while the TCP connection stays open."""
    client.socket.transport.pause_reading()


async def joined(site: Site, client: Client) -> UUID:
    (user,) = await site.users(1)
    await client.join("realtime:a", token=site.token(user))
    return user


async def test_a_silent_socket_is_found_by_pings(installed: Database) -> None:
    """A client that answers no ping is closed after ping_interval + ping_timeout, and liveness is told."""
    async with running_site(installed, QUICK) as site, site.client() as client:
        user = await joined(site, client)
        go_silent(client)
        await asyncio.wait_for(site.watch.gone.wait(), PATIENCE)
        assert [who for who, _socket in site.watch.closed] == [user]
        assert site.realtime.sockets == 0
        client.socket.transport.resume_reading()
        await asyncio.wait_for(client.socket.wait_closed(), PATIENCE)
        assert client.socket.close_code == 1011


async def test_a_socket_that_answers_pings_stays(installed: Database) -> None:
    """A client that says nothing of its own, but answers pings, is kept through many of them."""
    async with running_site(installed, QUICK) as site, site.client() as talking, site.client() as silent:
        await joined(site, talking)
        await joined(site, silent)
        go_silent(silent)
        await asyncio.wait_for(site.watch.gone.wait(), PATIENCE)  # two intervals or so have passed
        await talking.send("phoenix", "heartbeat", {}, "1")
        assert (await talking.receive()).ref == "1"
        assert site.realtime.sockets == 1
        silent.socket.transport.resume_reading()


async def test_a_lost_connection_is_noticed_at_once(site: Site) -> None:
    """A connection that is cut without a closing handshake is told to liveness without waiting for a ping."""
    async with site.client() as client:
        user = await joined(site, client)
        client.socket.transport.abort()
        await asyncio.wait_for(site.watch.gone.wait(), PATIENCE)
        assert [who for who, _socket in site.watch.closed] == [user]


async def test_a_slow_reader_is_dropped_and_others_are_not(installed: Database) -> None:
    """Who does not read what he is sent is closed when too much waits for him; the others go on meanwhile."""
    payload = {"filler": "x" * 100_000}
    settings = Settings(ping_interval=0.5, ping_timeout=0.5)
    async with running_site(installed, settings) as site, site.client() as slow, site.client() as other:
        await joined(site, slow)
        await other.join("realtime:b")
        go_silent(slow)
        while not site.watch.gone.is_set():
            site.realtime.broadcast("a", "filler", payload)
            await other.send("phoenix", "heartbeat", {}, "1")
            assert (await other.receive()).ref == "1"
        assert site.realtime.sockets == 1
        slow.socket.transport.resume_reading()
        with pytest.raises(ConnectionClosed):
            while True:
                await asyncio.wait_for(slow.socket.recv(), PATIENCE)


class Pipe:
    """The server's side of a socket, by hand: what was sent, and whether sending blocks."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.sent: list[dict[str, object]] = []
        self.written = asyncio.Semaphore(0)
        self.open = asyncio.Event()
        self.open.set()

    async def receive(self) -> dict[str, object]:
        return await self.incoming.get()

    async def send(self, message: dict[str, object]) -> None:
        await self.open.wait()
        self.sent.append(message)
        self.written.release()
        if message["type"] == "websocket.close":
            self.incoming.put_nowait({"type": "websocket.disconnect"})


def socket_on(pipe: Pipe, stall: float) -> Socket:
    return Socket(1, pipe.receive, pipe.send, stall=stall)  # type: ignore[arg-type]


async def test_frames_are_written_in_order_and_then_the_close() -> None:
    """What was queued before a close waits in order; a frame queued after it is not written."""
    pipe = Pipe()
    socket = socket_on(pipe, PATIENCE)
    run = asyncio.create_task(socket.run(lambda _text: None))
    for number in range(200):
        socket.send(str(number))
    for _ in range(200):
        await asyncio.wait_for(pipe.written.acquire(), PATIENCE)
    socket.close(1001, "bye")
    socket.send("late")
    await asyncio.wait_for(run, PATIENCE)
    assert [message["text"] for message in pipe.sent[:-1]] == [str(number) for number in range(200)]
    assert pipe.sent[-1] == {"type": "websocket.close", "code": 1001, "reason": "bye"}


async def test_too_much_waiting_is_a_clean_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound the queue is dropped and, as soon as the client reads, a close frame with the reason goes out."""
    monkeypatch.setattr(realtime_socket, "MAX_QUEUED_BYTES", 100)
    pipe = Pipe()
    pipe.open.clear()
    socket = socket_on(pipe, PATIENCE)
    run = asyncio.create_task(socket.run(lambda _text: None))
    for _ in range(20):
        socket.send("x" * 10)
        await asyncio.sleep(0)
    pipe.open.set()
    await asyncio.wait_for(run, PATIENCE)
    assert [message["type"] for message in pipe.sent] == ["websocket.send", "websocket.close"]
    assert (pipe.sent[-1]["code"], pipe.sent[-1]["reason"]) == realtime_socket.SLOW_READER


async def test_a_client_that_never_reads_is_abandoned() -> None:
    """Where not even the close frame can be written, the socket ends all the same, after `stall`."""
    pipe = Pipe()
    pipe.open.clear()
    socket = socket_on(pipe, 0.05)
    run = asyncio.create_task(socket.run(lambda _text: None))
    socket.send("x")
    await asyncio.wait_for(run, PATIENCE)
    assert pipe.sent == []


async def test_cancelling_the_reader_ends_the_writer() -> None:
    """No task of ours survives its socket."""
    pipe = Pipe()
    pipe.open.clear()
    socket = socket_on(pipe, PATIENCE)
    run = asyncio.create_task(socket.run(lambda _text: None))
    socket.send("x")
    await asyncio.sleep(0)
    before = asyncio.all_tasks()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert len(before) == 3
