"""The reference server as a process of its own: started behind a warden, ready when it says so."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import Trouble
from harness.lab.blocking import finished
from harness.lab.program import environment, killed
from harness.lab.warden import Spec, Warden

_START_DEADLINE = 90.0
_REQUIRED = "gurukul-harness[server]"


@dataclass(eq=False)
class Server:
    """A running reference server, as its ready line tells of it. `crash` gives it another `pid` and `warden`."""

    url: str
    api_url: str
    supabase_url: str
    anon_key: str
    engine: str
    pid: int
    warden: Warden
    log: Path
    start: Callable[[int], Warden]
    """Starts a process like the first, on a port."""
    workers: tuple[int, ...] = ()
    """The process ids of its workers, where it has more than one."""

    async def ended(self) -> str:
        """Waits until the server ends by itself; says how it ended."""
        status = await asyncio.to_thread(self.warden.wait)
        return f"exit status {status}, {self.warden.last_line()}"

    async def crash(self) -> None:
        """Kills the server without warning and starts it anew, on the same port and database; returns when it is ready.

        Raises:
            Trouble: it had ended by itself before, or does not start again.
        """
        if not await killed(self.pid):
            raise Trouble(f"the server (process {self.pid}) had ended by itself", f"see {self.log}")
        await finished(self.warden.stop)
        self.warden = self.start(urlsplit(self.url).port or 80)
        line = await asyncio.to_thread(self.warden.read_line, _START_DEADLINE)
        again = _server(line, self.warden, self.log, self.start)
        self.pid, self.workers = again.pid, again.workers


@asynccontextmanager
async def running_server(
    engine: str, database_url: str, log: Path, settings: Mapping[str, object] | None = None
) -> AsyncIterator[Server]:
    """Runs `python -m reference_server` and stops it at the end.

    Args:
        engine: the matchmaking engine's name.
        database_url: handed over by the environment: it may hold a password.
        log: takes the server's standard error, appended.
        settings: other settings of the server by their names (`queue_ttl`, `port`, …).

    Raises:
        Trouble: the server does not start; says what it said.
    """

    def start(port: int | None = None) -> Warden:
        chosen = {**(settings or {}), **({} if port is None else {"port": port})}
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in chosen.items()]
        spec = Spec(command=[sys.executable, "-m", "reference_server", f"--engine={engine}", *flags], log=str(log))
        return Warden(spec, env=environment({"GURUKUL_DATABASE_URL": database_url}))

    warden, server = start(), None
    try:
        line = await asyncio.to_thread(warden.read_line, _START_DEADLINE)
        server = _server(line, warden, log, start)
        yield server
    finally:
        await finished((warden if server is None else server.warden).stop)


def _server(line: str | None, warden: Warden, log: Path, start: Callable[[int], Warden]) -> Server:
    try:
        said = json.loads(line or "")
        return Server(
            said["url"], said["api_url"], said["supabase_url"], said["anon_key"], said["engine"], said["pid"],
            warden, log, start, tuple(said.get("workers", ())),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError):
        raise _not_started(warden.last_line("error: ")) from None


def _not_started(line: str) -> Trouble:
    if line.startswith("error: "):
        return Trouble(line.removeprefix("error: "))
    if line.startswith("ModuleNotFoundError"):
        return Trouble(f"the reference server cannot start ({line})", f"pip install '{_REQUIRED}'")
    return Trouble(f"the reference server does not start ({line})")
