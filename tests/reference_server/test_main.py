"""The server as a process: its one line when it is ready, its one line when it is not, and how it ends."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

import aiohttp
import orjson
import pytest

from reference_server.__main__ import base_url, listen, read_settings
from reference_server.db import Refused

DEADLINE = 60


async def start(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "reference_server", *arguments, stdout=PIPE, stderr=PIPE
    )


async def ready_line(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), DEADLINE)
    assert line, (await process.communicate())[1].decode()
    return dict(orjson.loads(line))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serves_and_stops(database_url: str, number: signal.Signals) -> None:
    """The ready line says where everything is; health and readiness answer; a signal ends it with status 0."""
    process = await start("--engine", "documented", "--database-url", database_url, "--database-pool", "3")
    ready = await ready_line(process)
    assert ready.keys() == {"url", "api_url", "supabase_url", "anon_key", "engine", "pid", "database_url"}
    assert (ready["engine"], ready["pid"], ready["database_url"]) == ("documented", process.pid, database_url)
    async with aiohttp.ClientSession() as session:
        for path in ("health", "ready"):
            async with session.get(f"{ready['url']}/{path}") as answer:
                assert answer.status == 200
        async with session.post(f"{ready['api_url']}/matching/join") as answer:
            assert (answer.status, await answer.json()) == (401, {"error": "Unauthorized"})
        async with session.get(f"{ready['supabase_url']}/rest/v1/profiles", headers={"apikey": "x"}) as answer:
            assert answer.status == 401
        async with session.get(f"{ready['url']}/nowhere") as answer:
            assert (answer.status, await answer.json()) == (404, {"error": "GET /nowhere is not served here"})
    process.send_signal(number)
    out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_database_of_another_engine(database_url: str) -> None:
    """A second server with another engine on the same database is refused in one line, status 3."""
    first = await start("--engine", "documented", "--database-url", database_url, "--database-pool", "3")
    await ready_line(first)
    second = await start("--engine", "hardened", "--database-url", database_url, "--database-pool", "3")
    out, err = await asyncio.wait_for(second.communicate(), DEADLINE)
    assert (second.returncode, out) == (3, b"")
    assert err.startswith(b"error: the database test_")
    assert err.endswith(
        b"was made for the documented engine, not for hardened: use another database, or start with "
        b"--engine documented\n"
    )
    first.terminate()
    await asyncio.wait_for(first.communicate(), DEADLINE)


async def test_taken_port() -> None:
    """A taken port is one line on standard error and status 3; nothing is said on standard output."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await start("--port", str(port), "--database-url", "postgresql://x/y")
        out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert (process.returncode, out) == (3, b"")
    what, remedy = (
        f"cannot listen at 127.0.0.1:{port} (Address already in use)",
        "choose another --port, or 0 for a free one",
    )
    assert err.decode() == f"error: {what}: {remedy}\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--port", "x"], "--port: Input should be a valid integer"),
        (["--port", "70000"], "--port: Input should be less than or equal to 65535"),
        (["--engine", "other"], "--engine: Input should be 'documented' or 'hardened'"),
        (["--queue-ttl", "0"], "--queue-ttl: Input should be greater than 0"),
        (["--jwt-secret", "short"], "--jwt-secret: String should have at least 32 characters"),
        (["--nonsense", "1"], "unrecognized arguments: --nonsense 1: see --help"),
        (["--port"], "argument --port: expected one argument: see --help"),
    ],
)
def test_flags_that_cannot_be(arguments: list[str], line: str) -> None:
    """A flag that is unknown or out of range is refused by its name."""
    with pytest.raises(Refused) as caught:
        read_settings(arguments)
    assert str(caught.value).startswith(line)


def test_flags_before_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag counts more than the environment, the environment more than the default."""
    monkeypatch.setenv("GURUKUL_QUEUE_TTL", "7")
    monkeypatch.setenv("GURUKUL_PORT", "7001")
    settings = read_settings(["--port", "7002"])
    assert (settings.queue_ttl, settings.port, settings.engine) == (7.0, 7002, "hardened")


def test_bad_environment_is_named_as_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of the environment that cannot be is refused like a flag's."""
    monkeypatch.setenv("GURUKUL_FEED_POLL", "fast")
    with pytest.raises(Refused, match="--feed-poll: Input should be a valid number"):
        read_settings([])


def test_everywhere_is_reached_at_loopback() -> None:
    """A server that listens everywhere names an address that a client can use."""
    with listen("0.0.0.0", 0) as listener:
        assert base_url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
