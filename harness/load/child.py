"""The child process of a swarm: started, listened to, given up when it comes no further, and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import Trouble

_STOP = 15.0
"""How long the child may take to stop by itself before it is killed, in seconds."""


async def run_child(
    command: Sequence[str], log: Path, hear: Callable[[bytes], bool], *, within: float | None, stuck: float
) -> int:
    """Runs the command to its end, in a session of its own that ends with it.

    Args:
        command: is given `--tell-fd=<pipe>` and `--parent-pid=<us>` besides.
        log: takes what it prints.
        hear: takes each line that it writes into the pipe; says whether somebody came further.
        within: seconds that it may take in any case; None: for as long as it likes.
        stuck: seconds that it may take longer, for as long as somebody comes further at least that often.

    Returns:
        Its exit status.

    Raises:
        Trouble: it was given up. When cancelled, it is stopped as well.
    """
    reader, writer = os.pipe()
    environment = {**os.environ, "PYTHONPATH": _python_path()}
    try:
        with log.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *command, f"--tell-fd={writer}", f"--parent-pid={os.getpid()}", stdin=DEVNULL, stdout=output,
                stderr=output, pass_fds=(writer,), start_new_session=True, env=environment,
            )  # fmt: skip
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    clock = asyncio.get_running_loop().time

    def further(line: bytes) -> None:
        ends = limit.when()
        if hear(line) and ends is not None:
            limit.reschedule(max(ends, clock() + stuck))

    try:
        async with asyncio.timeout(None if within is None else within + stuck) as limit:
            await _listen(reader, further)
            return await child.wait()
    except TimeoutError:
        raise Trouble("the load generator did not end in time", f"see {log}") from None
    finally:
        await _stop(child)


async def _listen(pipe: int, hear: Callable[[bytes], None]) -> None:
    """Reads lines until all who hold the other end of the pipe have closed it."""
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(pipe, "rb")
    )
    try:
        while line := await stream.readline():
            hear(line)
    finally:
        transport.close()


async def _stop(child: Process) -> None:
    """Stops the child if it still runs: SIGTERM, and SIGKILL for its whole session when that does not help."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(child.wait()), _STOP)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    await child.wait()


def _python_path() -> str:
    """The child must find these packages where this process did."""
    root = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
