"""A server that may be crashed on demand: `python -m harness.lab.crash SOCKET` asks whoever started it to do so."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from harness.errors import Trouble
from harness.lab.deployment import Deployment
from harness.lab.folder import make_folder
from harness.lab.server import Server

_ANSWER_DEADLINE = 90.0
"""Seconds from the question to the answer: the kill, and a start that takes its time."""
_OK = "ok"


@asynccontextmanager
async def crashable(deployed: Deployment) -> AsyncIterator[Deployment]:
    """The deployment with `capabilities.crash`, the command that crashes its server for as long as the block lasts."""
    folder, lock = make_folder()
    try:
        path = folder / "crash.sock"
        desk = await asyncio.start_unix_server(_Desk(deployed.server).answer, path)
        async with desk:
            command = shlex.join([sys.executable, "-m", "harness.lab.crash", str(path)])
            offers = deployed.target.capabilities.model_copy(update={"crash": command})
            yield replace(deployed, target=deployed.target.model_copy(update={"capabilities": offers}))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


class _Desk:
    """Whoever connects gets the server crashed, one after the other, and one line that says what came of it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._turn = asyncio.Lock()

    async def answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Crashes the server for one caller; one who goes away meanwhile gets it crashed all the same."""
        async with self._turn:
            said = _OK
            try:
                await self._server.crash()
            except Trouble as trouble:
                said = " ".join(str(trouble).split())
        with suppress(ConnectionError):
            writer.write(f"{said}\n".encode())
            await writer.drain()
        writer.close()


def ask(path: Path) -> None:
    """Asks at a socket for a crash, and waits until the server serves again.

    Raises:
        Trouble: nobody listens there, no answer came, or the server did not start again.
    """
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(_ANSWER_DEADLINE)
        try:
            caller.connect(str(path))
            said = caller.makefile(encoding="utf-8").readline().strip()
        except TimeoutError:
            raise Trouble(f"the server did not come back within {_ANSWER_DEADLINE:.0f} s", "see its log") from None
        except OSError as error:
            raise Trouble(
                f"nobody can be asked at {path} ({error.strerror})", "the run that offered this command is over"
            ) from None
    if said != _OK:
        raise Trouble(said or "the run that offered this command ended before the server was back")


def main(arguments: list[str]) -> int:
    """Runs the command; 0 when the server serves again, else one sentence on standard error and 3."""
    try:
        if len(arguments) != 1:
            raise Trouble("one socket must be named", "python -m harness.lab.crash SOCKET")
        ask(Path(arguments[0]))
    except Trouble as trouble:
        sys.stderr.write(f"error: {trouble}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
