"""Runs one verb: its event loop, its signals, its trouble, its exit status."""

from __future__ import annotations

import asyncio
import signal
import traceback
from collections.abc import Callable, Coroutine
from enum import IntEnum
from typing import Any

from harness.cli.streams import tell
from harness.errors import Trouble, no_room
from harness.results.finding import Verdict


class Exit(IntEnum):
    """The exit status of every verb that judges."""

    VALID = 0
    INVALID = 1
    UNKNOWN = 2
    TROUBLE = 3


EXIT_OF = {Verdict.VALID: Exit.VALID, Verdict.INVALID: Exit.INVALID, Verdict.UNKNOWN: Exit.UNKNOWN}

INTERRUPTED = "interrupted: the verdict is unknown"

_EXTRA_OF = {
    "asyncpg": "server", "reference_server": "server", "starlette": "server", "uvicorn": "server",
    "aiortc": "peers", "aioice": "peers", "av": "peers",
    "gevent": "load", "locust": "load",
    "altair": "report", "jinja2": "report", "vl_convert": "report",
}  # fmt: skip


def run(
    verb: Coroutine[Any, Any, int],
    *,
    interrupted: int = Exit.UNKNOWN,
    loop: asyncio.AbstractEventLoop | None = None,
) -> int:
    """Runs a verb to its end; returns its exit status.

    SIGINT and SIGTERM cancel it once; it then keeps what it has and stops its children. `interrupted` is the exit
    status when it says nothing else after that. `loop` is the event loop to run it on, which is closed at the end;
    None for one of asyncio's own.
    """
    with asyncio.Runner(loop_factory=None if loop is None else lambda: loop) as runner:
        return runner.run(_under_signals(verb, interrupted))


async def _under_signals(verb: Coroutine[Any, Any, int], interrupted: int) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(verb)
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            say("stopping")
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if not stopping:
            raise
        if interrupted != Exit.VALID:
            say(INTERRUPTED)
        return interrupted


def guarded(verb: Callable[[], int]) -> int:
    """Runs a verb and turns what stopped it into one line and an exit status."""
    try:
        return verb()
    except Trouble as trouble:
        say(f"error: {trouble}")
        if trouble.excerpt:
            tell(f"{trouble.excerpt}\n")
    except KeyboardInterrupt:
        say(INTERRUPTED)
        return Exit.UNKNOWN
    except ModuleNotFoundError as error:
        extra = _EXTRA_OF.get((error.name or "").partition(".")[0])
        if extra is None:
            tell(traceback.format_exc())
        say(f"error: {error.name} is not installed: pip install 'gurukul-harness[{extra or 'all'}]'")
    except OSError as error:
        if not no_room(error):
            return _own_fault(error)
        say(f"error: there is no room on a disk ({error}): make room for the results and in TMPDIR")
    except Exception as error:  # noqa: BLE001 — the rim of the program: a fault of ours must not look like a verdict
        return _own_fault(error)
    return Exit.TROUBLE


def _own_fault(error: Exception) -> Exit:
    tell("".join(traceback.format_exception(error)))
    say(f"error: a fault of our own ({type(error).__name__}): please report what stands above")
    return Exit.TROUBLE


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Runs all at once; when one fails or we are cancelled, the others are cancelled and have ended."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def say(text: str) -> None:
    """One line on standard error."""
    tell(" ".join(text.split("\n")) + "\n")
