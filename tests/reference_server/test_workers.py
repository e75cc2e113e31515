"""Several workers on one port: one line when all are ready, one when not, and the others go on when one is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

import aiohttp
import orjson
import psutil
import pytest

DEADLINE = 60


async def start(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "reference_server", *arguments, stdout=PIPE, stderr=PIPE
    )


async def ready_line(process: Process) -> dict[str, Any]:
    line = await asyncio.wait_for(process.stdout.readline(), DEADLINE)
    assert line, (await process.communicate())[1].decode()
    return dict(orjson.loads(line))


async def gone(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            await asyncio.to_thread(process.wait, DEADLINE)
    except psutil.NoSuchProcess:
        return


@pytest.fixture
async def two(database_url: str):
    """A server of two workers, and its ready line."""
    process = await start("--workers", "2", "--database-url", database_url, "--database-pool", "3")
    ready = await ready_line(process)
    yield process, ready
    if process.returncode is None:
        process.terminate()
        await asyncio.wait_for(process.communicate(), DEADLINE)


async def test_one_line_for_all(two) -> None:
    """The parent says it, names its workers, and ends with them at a signal, with status 0 and nothing more to say."""
    process, ready = two
    assert ready["pid"] == process.pid
    assert len(set(ready["workers"])) == 2
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.communicate(), DEADLINE) == (b"", b"")
    assert process.returncode == 0
    for pid in ready["workers"]:
        await gone(pid)


async def test_one_killed_the_other_goes_on(two) -> None:
    """After kill -9 of one worker every request is answered, a line in the log tells of it, and the end is regular."""
    process, ready = two
    os.kill(ready["workers"][0], signal.SIGKILL)
    await gone(ready["workers"][0])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        for _ in range(20):
            async with session.get(f"{ready['url']}/ready") as answer:
                assert answer.status == 200
    process.terminate()
    out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert (process.returncode, out) == (0, b"")
    assert f"worker {ready['workers'][0]} has ended with status -9; the others go on" in err.decode()


async def test_all_killed_is_a_failure(two) -> None:
    """When no worker is left, so is nobody to wait for: status 3, and a line that says so."""
    process, ready = two
    for pid in ready["workers"]:
        os.kill(pid, signal.SIGKILL)
    _, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode == 3
    assert err.decode().splitlines()[-1] == "error: the workers have ended by themselves: see what they said"


async def test_a_killed_parent_takes_its_workers_with_it(two) -> None:
    """Nothing is left behind."""
    process, ready = two
    process.kill()
    await asyncio.wait_for(process.wait(), DEADLINE)
    for pid in ready["workers"]:
        await gone(pid)


async def test_a_start_that_fails_is_one_line(postgres_url: str) -> None:
    """However many workers cannot start, one line says why, and none is left."""
    url = postgres_url.replace("/postgres?", "/nowhere?")
    process = await start("--workers", "3", "--database-url", url)
    out, err = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert (process.returncode, out) == (3, b"")
    assert (
        err.decode() == "error: there is no database the local socket/nowhere: create it (createdb) or name another\n"
    )
