"""Sockets that break the rules, by raw bytes: each is closed with the right code, and nobody else notices."""

from __future__ import annotations

import asyncio
import base64
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from reference_server.db import Database
from reference_server.realtime import quotas
from reference_server.realtime.idle import CHANNELLESS, SILENT, Activity, sweep_interval
from reference_server.settings import Settings
from reference_server.web.protocol import MOST_FRAGMENTS
from tests.reference_server.realtime.conftest import PATIENCE, PROMPT, Client, Site, running_site

HEARTBEAT = orjson.dumps([None, "1", "phoenix", "heartbeat", {}])


@asynccontextmanager
async def raw(site: Site, extra: str = "") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """An upgraded connection of which every byte is ours."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    key = base64.b64encode(bytes(16)).decode()
    path = site.url().partition(str(site.port))[2]
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n".encode()
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    assert head.startswith(b"HTTP/1.1 101"), head
    assert b"permessage-deflate" not in head
    try:
        yield reader, writer
    finally:
        writer.close()


def frame(payload: bytes, first: int = 0x81, masked: bool = True, length: bytes | None = None) -> bytes:
    """A frame of RFC 6455 section 5.2 whose mask is zero."""
    size = length if length is not None else bytes([len(payload)])
    return bytes([first, size[0] | (0x80 if masked else 0)]) + size[1:] + (bytes(4) if masked else b"") + payload


async def close_code(reader: asyncio.StreamReader) -> int:
    """The code of the close frame that must come next."""
    head = await asyncio.wait_for(reader.readexactly(4), PATIENCE)
    assert head[0] == 0x88, head
    return int.from_bytes(head[2:4], "big")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(HEARTBEAT, first=0xC1), 1002),
        (frame(HEARTBEAT, first=0xA1), 1002),
        (frame(HEARTBEAT, first=0x83), 1002),
        (frame(HEARTBEAT, masked=False), 1002),
        (frame(b"x" * 126, first=0x89, length=bytes([126]) + (126).to_bytes(2, "big")), 1002),
        (frame(b"\xff\xfe"), 1007),
        (frame(b"", length=bytes([127]) + (5_000_001).to_bytes(8, "big")), 1009),
        (frame(b"", length=bytes([127]) + (2**63).to_bytes(8, "big")), 1009),
        (frame(b"", length=bytes([127]) + (2**62).to_bytes(8, "big")), 1009),
    ],
    ids=[
        "compressed without leave", "a reserved bit", "a reserved kind", "not masked", "a long ping",
        "no UTF-8", "one byte too many", "a length with its highest bit", "a false length of 64 bits",
    ],
)  # fmt: skip
async def test_frames_that_break_the_protocol(site: Site, data: bytes, code: int) -> None:
    """The socket is closed with the code that RFC 6455 section 7.4.1 has for it, before anything is gathered."""
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    async with raw(site, offer) as (reader, writer), site.client() as other:
        writer.write(data)
        assert await close_code(reader) == code
        await other.heartbeat()


@pytest.mark.parametrize(
    "frames",
    [[frame(b"\xff\xfe")], [frame(b"\xc3", first=0x01), frame(b"(", first=0x80)]],
    ids=["whole", "in pieces"],
)
async def test_bytes_that_are_no_text(site: Site, caplog: pytest.LogCaptureFixture, frames: list[bytes]) -> None:
    """They are 1007, and their sender's mistake: nothing is logged as an error of the server."""
    async with raw(site) as (reader, writer):
        writer.writelines(frames)
        assert await close_code(reader) == 1007
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_message_in_pieces_has_the_same_limit(site: Site) -> None:
    """Fragments that are too large together are 1009, too."""
    piece = b"x" * 65_000
    long = bytes([126]) + len(piece).to_bytes(2, "big")
    async with raw(site) as (reader, writer):
        writer.write(frame(piece, first=0x01, length=long))
        for _ in range(80):
            writer.write(frame(piece, first=0x00, length=long))
        assert await close_code(reader) == 1009


FRAME_LIMIT = 5_000_000


@pytest.mark.parametrize("fragments", [1, 2])
@pytest.mark.parametrize("beyond", [0, 1, 2])
async def test_the_limit_of_a_message(site: Site, fragments: int, beyond: int) -> None:
    """A message of exactly the limit is read, be it whole or in two parts; one byte more, or two, are 1009."""
    message = HEARTBEAT.replace(b"{}", b'"' + b"x" * (FRAME_LIMIT + beyond - len(HEARTBEAT)) + b'"')
    assert len(message) == FRAME_LIMIT + beyond
    cut = len(message) // fragments
    async with raw(site) as (reader, writer):
        for number in range(fragments):
            part = message[number * cut :] if number == fragments - 1 else message[:cut]
            first = (0x01 if number == 0 else 0x00) | (0x80 if number == fragments - 1 else 0)
            writer.write(frame(part, first=first, length=bytes([127]) + len(part).to_bytes(8, "big")))
        if beyond:
            assert await close_code(reader) == 1009
        else:
            assert await asyncio.wait_for(reader.readexactly(1), PATIENCE) == b"\x81"


async def test_fragments_of_nothing_have_an_end(site: Site) -> None:
    """A message that never ends, in fragments without a byte, is 1009; one in as many as are allowed is read."""
    async with raw(site) as (reader, writer):
        writer.write(frame(HEARTBEAT, first=0x01) + frame(b"", first=0x00) * (MOST_FRAGMENTS - 2))
        writer.write(frame(b"", first=0x80))
        assert await asyncio.wait_for(reader.readexactly(1), PATIENCE) == b"\x81"
    async with raw(site) as (reader, writer):
        writer.write(frame(b"[", first=0x01) + frame(b"", first=0x00) * (MOST_FRAGMENTS + 1))
        assert await close_code(reader) == 1009


async def test_a_bomb_is_not_unpacked(site: Site) -> None:
    """Compression is never agreed to, whatever is offered, so that a small frame stays small: packed ones are 1002."""
    packed = zlib.compress(b"x" * 20_000_000, wbits=-15)
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, permessage-deflate\r\n"
    async with raw(site, offer) as (reader, writer):
        writer.write(frame(packed, first=0xC1, length=bytes([126]) + len(packed).to_bytes(2, "big")))
        assert await close_code(reader) == 1002


@pytest.mark.parametrize(
    "extra", ["X-Long: " + "y" * 70_000 + "\r\n", "".join(f"X-{n}: y\r\n" for n in range(200))], ids=["long", "many"]
)
async def test_the_head_of_an_upgrade_has_a_limit(site: Site, extra: str) -> None:
    """Headers without measure open no socket: the request is refused, and the connection closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    path = site.url().partition(str(site.port))[2]
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{extra}"
        f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    try:
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        assert answer.startswith(b"HTTP/1.1 4"), answer
    finally:
        writer.close()


async def test_bindings_and_channels_have_limits(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel has a hundred bindings, a socket so many channels; what is beyond is refused, the rest goes on."""
    monkeypatch.setattr(quotas, "MOST_CHANNELS", 3)
    bindings = [{"event": "*", "schema": "public", "table": "messages"}] * 101
    async with site.client() as client:
        refused = await client.join("realtime:a", *bindings)
        assert refused.payload["response"]["reason"] == "ChannelRateLimitReached: Too many channels"
        await client.subscribe("realtime:b", *bindings[:100])
        for name in "cd":
            assert (await client.join(f"realtime:{name}")).payload["status"] == "ok"
        refused = await client.join("realtime:e")
        assert refused.payload["response"]["reason"] == "ChannelRateLimitReached: Too many channels"


async def test_one_byte_at_a_time_is_read_as_well(site: Site) -> None:
    """A frame may come in drops; the answer comes when it is whole."""
    async with raw(site) as (reader, writer):
        for byte in frame(HEARTBEAT):
            writer.write(bytes([byte]))
            await writer.drain()
        assert (await asyncio.wait_for(reader.readexactly(1), PATIENCE)) == b"\x81"


@pytest.mark.parametrize("joins", [False, True])
async def test_a_drip_that_never_ends_is_cut_off(installed: Database, joins: bool) -> None:
    """Bytes of a frame that never becomes whole are no sign of life: silence is judged by frames."""
    settings = Settings(socket_idle_timeout=0.4, **PROMPT)
    async with running_site(installed, settings) as site, raw(site) as (reader, writer):
        if joins:
            writer.write(frame(orjson.dumps([None, "1", "realtime:a", "phx_join", {}])))
            await asyncio.wait_for(reader.readuntil(b"}"), PATIENCE)
        writer.write(frame(b"", length=bytes([126]) + (500).to_bytes(2, "big")))
        closed = asyncio.create_task(reader.readuntil(b"\x88"))
        async with asyncio.timeout(PATIENCE):
            while not closed.done():
                writer.write(b"x")
                await asyncio.wait({closed}, timeout=0.02)


@pytest.mark.parametrize("setting", ["socket_idle_timeout", "channelless_timeout"])
async def test_idle_sockets_are_closed(installed: Database, setting: str) -> None:
    """Without a frame for too long, or without a channel: code 1000. A socket that does both stays."""
    settings = Settings(**{setting: 0.3, **PROMPT})
    async with running_site(installed, settings) as site, site.client() as idle, site.client() as busy:
        await busy.join("realtime:a")
        waiting = asyncio.create_task(idle.socket.wait_closed())
        async with asyncio.timeout(PATIENCE):
            while not waiting.done():
                await busy.heartbeat()
        assert idle.socket.close_code == 1000
        await busy.heartbeat()


def test_what_counts_as_idle() -> None:
    """Silence is counted from the last frame, channellessness from the last channel; neither while it is not so."""
    activity = Activity(heard_at=10.0, channelless_since=None)
    assert activity.verdict(70.0, 60, 600) is None
    assert activity.verdict(70.1, 60, 600) == SILENT
    activity = Activity(heard_at=600.0, channelless_since=0.0)
    assert activity.verdict(600.0, 60, 600) is None
    assert activity.verdict(600.1, 60, 600) == CHANNELLESS
    assert (sweep_interval((60, 600)), sweep_interval((1, 600))) == (5.0, 0.1)


async def test_origins(installed: Database) -> None:
    """Any origin by default, as hosted; where some are named, the others are refused; who has none is no browser."""
    settings = Settings(allowed_origins="https://one.example, http://two.example:3000/", **PROMPT)
    async with running_site(installed, settings) as site:
        for origin in ("https://one.example", "http://TWO.example:3000", None):
            async with connect(site.url(), origin=origin, compression=None) as opened:  # type: ignore[arg-type]
                await Client(opened, "2.0.0").heartbeat()
        for origin in ("https://evil.example", "null", "http://two.example"):
            with pytest.raises(InvalidStatus) as raised:
                await connect(site.url(), origin=origin, compression=None)  # type: ignore[arg-type]
            assert raised.value.response.status_code == 403


async def test_refusals_are_held_back(installed: Database) -> None:
    """A refused join and a refused upgrade wait for their delays; the socket goes on meanwhile."""
    settings = Settings(join_error_delay=0.3, refusal_delay=0.3)
    async with running_site(installed, settings) as site, site.client() as client:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await client.send("realtime:", "phx_join", {}, "1", "1")
        await client.heartbeat()
        assert (await client.receive()).payload["status"] == "error"
        assert loop.time() - began >= 0.3
        began = loop.time()
        with pytest.raises(InvalidStatus):
            await connect(site.url(apikey="nonsense"), compression=None)
        assert loop.time() - began >= 0.3


async def test_a_stopping_server_closes_newcomers(site: Site) -> None:
    """A socket that is opened while the server stops gets 1001 at once."""
    await site.realtime.stop()
    async with site.client() as client:
        with pytest.raises(ConnectionClosed):
            await client.receive()
        assert client.socket.close_code == 1001
