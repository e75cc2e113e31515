"""The stream of the log: split where the bytes happen to be split, answered where PostgreSQL asks, ended cleanly."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_server.db import Database, DatabaseError, LogLost, Unavailable, replication
from reference_server.db.replication import LogStream


class Wire:
    """A transport, and the driver's connection around it, that write down what is done with them."""

    def __init__(self) -> None:
        self._transport = self
        self.calls: list[str] = []
        self.written = b""
        self.wrote = asyncio.Event()

    def set_protocol(self, _protocol: Any) -> None:
        self.calls.append("taken over")

    def write(self, data: bytes) -> None:
        self.written += data
        self.wrote.set()

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def abort(self) -> None:
        self.calls.append("abort")

    terminate = abort


def stream() -> tuple[LogStream, Wire]:
    wire = Wire()
    made = LogStream(wire)
    made.follow("slot", "publication")
    wire.written = b""
    return made, wire


def copied(body: bytes) -> bytes:
    return b"d" + struct.pack(">I", len(body) + 4) + body


def logged(content: bytes, at: int = 1) -> bytes:
    return copied(b"w" + struct.pack(">QQq", at, at, 0) + content)


def keepalive(at: int, asked: bool) -> bytes:
    return copied(b"k" + struct.pack(">QqB", at, 0, asked))


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=8), st.lists(st.integers(1, 40), max_size=40))
def test_messages_come_whole_however_the_bytes_are_cut(contents: list[bytes], cuts: list[int]) -> None:
    """Whatever pieces arrive, the messages are those that were sent, in order."""
    made, _wire = stream()
    data = b"W\x00\x00\x00\x07\x00\x00\x00" + b"".join(logged(content) for content in contents)
    for cut in [*cuts, len(data)]:
        made.data_received(data[:cut])
        data = data[cut:]
    assert asyncio.run(made.take()) == contents


async def test_a_keepalive_that_asks_is_answered_at_once() -> None:
    """The answer names the position that was reached; one that does not ask is answered a little later, once."""
    made, wire = stream()
    made.data_received(keepalive(70, asked=True))
    kind, length, status, written, flushed, applied = struct.unpack_from(">cIcQQQ", wire.written)
    assert (kind, length, status) == (b"d", len(wire.written) - 1, b"r")
    assert (written, flushed, applied) == (70, 70, 70)
    wire.written = b""
    wire.wrote.clear()
    for position in (80, 90):
        made.data_received(keepalive(position, asked=False))
    assert wire.written == b""
    await asyncio.wait_for(wire.wrote.wait(), 5)
    assert struct.unpack_from(">cIcQ", wire.written)[3] == 90
    assert len(wire.written) == length + 1
    made.close()


async def test_the_server_waits_when_nobody_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the bound reading is paused until what waits has been taken."""
    monkeypatch.setattr(replication, "MOST_WAITING", 100)
    made, wire = stream()
    for _ in range(4):
        made.data_received(logged(b"x" * 40))
    assert wire.calls == ["taken over", "pause"]
    assert len(await made.take()) == 4
    assert wire.calls[2:] == ["resume"]


async def test_what_came_before_the_end_is_still_taken() -> None:
    """Then taking raises what PostgreSQL said."""
    made, wire = stream()
    made.data_received(logged(b"last"))
    body = b"SERROR\0C57P01\0Mterminating connection\0\0"
    made.data_received(b"E" + struct.pack(">I", len(body) + 4) + body)
    made.connection_lost(None)
    assert await made.take() == [b"last"]
    with pytest.raises(LogLost, match="terminating connection"):
        await made.take()
    assert "abort" in wire.calls


async def test_a_commit_comes_by_itself_and_the_end_ends_the_slot(installed: Database) -> None:
    """Against PostgreSQL: begin, relation, insert, commit; after close the slot is gone; close may be called twice."""
    made = await installed.follow_log("gurukul_test_1", "supabase_realtime")
    async with installed.connection() as connection:
        await connection.execute("insert into auth.users (id) values (gen_random_uuid())")
        await connection.execute("insert into waiting_queue (user_id) select id from auth.users")
        kinds = b""
        async with asyncio.timeout(5):
            while not kinds.endswith(b"C"):
                kinds += b"".join(message[:1] for message in await made.take())
        assert kinds == b"BRIC"
        made.close()
        made.close()
        with pytest.raises(LogLost):
            await made.take()
        async with asyncio.timeout(5):
            while await connection.fetchval("select count(*) from pg_replication_slots where slot_name like '%test_1'"):
                pass


async def test_a_slot_that_is_taken_is_postgresqls_error(installed: Database) -> None:
    """Two streams cannot share a slot; nothing stays open."""
    made = await installed.follow_log("gurukul_test_2", "supabase_realtime")
    try:
        with pytest.raises(DatabaseError, match="already exists"):
            await installed.follow_log("gurukul_test_2", "supabase_realtime")
    finally:
        made.close()


async def test_no_postgresql_is_unavailable() -> None:
    """The caller may try again."""
    gone = Database("postgresql://postgres@127.0.0.1:9/none", None, {})
    with pytest.raises(Unavailable):
        await gone.follow_log("slot", "publication")
