"""Programs of our own as children: found where we were found, owned by a warden, read line by line."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.lab.blocking import finished
from harness.lab.warden import Spec, Warden

_SOURCES = Path(__file__).resolve().parents[2]
_LINE_PATIENCE = 3600.0
_KILL_DEADLINE = 30.0

POLITE = ((signal.SIGINT, 15.0), (signal.SIGTERM, 5.0))
"""For programs that keep what they have when they are interrupted."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, with our packages on the path and without settings meant for another server."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GURUKUL_")}
    path = os.pathsep.join(part for part in (str(_SOURCES), kept.get("PYTHONPATH", "")) if part)
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **(extra or {})}


async def run_module(module: str, arguments: Sequence[str], log: Path, heard: Callable[[str], None]) -> tuple[int, str]:
    """Runs `python -m module` to its end; returns its exit status and the last line of its log that says why.

    Each line of its standard output goes to `heard`, its standard error to `log`. When the caller is cancelled the
    program is interrupted, so that it can keep what it has, and has ended before the caller goes on.
    """
    spec = Spec(command=[sys.executable, "-m", module, *arguments], log=str(log), stop=POLITE)
    warden = Warden(spec, env=environment())
    try:
        while (line := await asyncio.to_thread(warden.read_line, _LINE_PATIENCE)) is not None:
            heard(line)
        status = await asyncio.to_thread(warden.wait)
        return status or 0, warden.last_line("error: ")
    finally:
        await finished(warden.stop)


async def killed(pid: int) -> bool:
    """Ends a process by SIGKILL and waits until it is gone; False where there was none any more."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        await _readable(handle)
    finally:
        os.close(handle)
    return True


async def _readable(handle: int) -> None:
    """Waits until a process has ended (its handle is then readable)."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(_KILL_DEADLINE):
            await ended.wait()
    finally:
        loop.remove_reader(handle)
