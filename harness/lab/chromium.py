"""Chromium without a window, for as long as a block lasts, on this machine alone and with a throw-away profile."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from websockets.asyncio.client import connect

from harness.errors import Trouble
from harness.lab.blocking import finished
from harness.lab.devtools import DevTools
from harness.lab.folder import make_folder
from harness.lab.warden import Spec, Warden

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_START_DEADLINE = 60.0
_FLAGS = (
    "--headless=new", "--remote-debugging-port=0", "--remote-debugging-address=127.0.0.1", "--no-first-run",
    "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
    "--no-proxy-server", "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    # No name is ever looked up, so that nothing is asked of any other host.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    # Peers say where they are by address: their partners here resolve no mDNS names.
    "--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,OptimizationHints",
)  # fmt: skip


def program() -> str | None:
    """Where Chromium is; None where this machine has none (Debian: chromium)."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@asynccontextmanager
async def running_chromium(log: Path) -> AsyncIterator[DevTools]:
    """Runs Chromium; its pages are made by what this gives.

    Args:
        log: takes what it says.

    Raises:
        Trouble: there is none, or it does not start.
    """
    where = program()
    if where is None:
        raise Trouble("the program chromium is not installed (Debian: chromium)", "install it")
    warden, folder = await finished(lambda: _started(where, log))
    try:
        url = await _address(warden, folder, log)
        async with connect(url, max_size=None, open_timeout=_START_DEADLINE) as socket:
            tools = DevTools(socket)
            reading = asyncio.create_task(tools.run())
            try:
                yield tools
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
    finally:
        await finished(warden.stop)


def _started(where: str, log: Path) -> tuple[Warden, Path]:
    log.parent.mkdir(parents=True, exist_ok=True)
    folder, lock = make_folder()
    profile = folder / "profile"
    try:
        command = [where, *_FLAGS, f"--user-data-dir={profile}"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")  # it refuses to be root's with one
        warden = Warden(Spec([*command, "about:blank"], log=str(log), remove=str(folder)), keep=(lock,))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(lock)  # the warden holds it now
    return warden, profile


async def _address(warden: Warden, profile: Path, log: Path) -> str:
    """The address of its DevTools, which it writes into its profile when it listens."""
    file = profile / "DevToolsActivePort"
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_DEADLINE):
            while warden.exit_status() is None:
                with suppress(OSError, ValueError):
                    port, path = file.read_text(encoding="ascii").split()
                    return f"ws://127.0.0.1:{int(port)}{path}"
                await finished(lambda: warden.wait(0.05))
    raise Trouble(f"chromium does not start ({warden.last_line()})", f"look into {log}")
