"""Several server processes on one listening socket, and the one that starts them and waits for them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

import orjson

from reference_server.db import Refused

log = logging.getLogger(__name__)

Report = Callable[[bytes], None]
"""Says in one line that a worker is ready (a JSON object), or why it cannot start."""
Work = Callable[[Report, int], int]
"""What a worker does, until it returns its exit status. The number is a file descriptor that ends with the parent."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A child process and the pipe on which it reports; the pipe ends with the child, however that ends."""

    pid: int
    reports: int


class Workers:
    """Starts `count` workers by fork. To be made before any event loop or thread of this process.

    `ended` is told the process id of each that has ended.
    """

    def __init__(self, count: int, work: Work, ended: Callable[[int], None] = lambda _pid: None) -> None:
        alive, self._alive = os.pipe()
        self._ended = ended
        self._workers: Final = [self._fork(work, alive) for _ in range(count)]
        self._asked = False
        os.close(alive)

    def _fork(self, work: Work, alive: int) -> Worker:
        reports, report = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reports)
            os.close(self._alive)
            # Ctrl-C reaches the whole group: it is the parent who passes it on.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _leave(lambda: work(lambda line: _write(report, line), alive))
        os.close(report)
        return Worker(pid, reports)

    async def run(self, announce: Callable[[dict[str, object]], None]) -> bool:
        """Announces that all are ready, and returns when all have ended: whether those did so well that were told to.

        Raises:
            Refused: one could not start; the others have been stopped.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        readers = [await _reader(worker.reports) for worker in self._workers]
        ends = [
            asyncio.create_task(_end(worker, reader), name=f"worker {worker.pid}")
            for worker, reader in zip(self._workers, await self._ready(readers, announce), strict=True)
        ]
        good = True
        for end in asyncio.as_completed(ends):
            pid, status = await end
            self._ended(pid)
            if self._asked:
                good = good and status == 0
            else:
                log.error("worker %d has ended with status %d; the others go on", pid, status)
        return self._asked and good

    async def _ready(
        self, readers: list[asyncio.StreamReader], announce: Callable[[dict[str, object]], None]
    ) -> list[asyncio.StreamReader]:
        ready: dict[str, object] = {}
        lines = [asyncio.create_task(reader.readline()) for reader in readers]
        for first in asyncio.as_completed(lines):
            line = await first
            if self._asked:
                continue
            if not line.startswith(b"{"):
                self._stop()
                await asyncio.gather(*lines)
                await asyncio.gather(*(reader.read() for reader in readers))
                for worker in self._workers:
                    _status(worker)
                raise _refusal(line)
            ready = orjson.loads(line)
        if not self._asked:
            pids = [worker.pid for worker in self._workers]
            announce({**ready, "pid": os.getpid(), "workers": pids})
        return readers

    def _stop(self) -> None:
        self._asked = True
        for worker in self._workers:
            try:
                os.kill(worker.pid, signal.SIGTERM)
            except ProcessLookupError:
                continue


def _leave(work: Callable[[], int]) -> NoReturn:
    """Does a child's work and ends the process, without what the parent has yet to do."""
    status = 1
    try:
        status = work()
    except BaseException:
        log.exception("the worker failed")
    finally:
        sys.stderr.flush()
        os._exit(status)


def _write(pipe: int, line: bytes) -> None:
    try:
        os.write(pipe, line + b"\n")
    except BrokenPipeError:
        log.warning("nobody hears that this worker is ready")


async def _reader(pipe: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    file = os.fdopen(pipe, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader


async def _end(worker: Worker, reader: asyncio.StreamReader) -> tuple[int, int]:
    await reader.read()
    return worker.pid, _status(worker)


def _status(worker: Worker) -> int:
    """How a worker ended whose pipe has ended: it is gone, or will be in a moment."""
    return os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])


def _refusal(line: bytes) -> Refused:
    what, _, remedy = line.decode().strip().partition("\t")
    return Refused(what or "a worker ended before it was ready", remedy or "see what it said")
