"""The rim of the command: every way to end has its line and its exit status."""

import asyncio
import errno
import os
import signal

import pytest

from harness.cli.running import Exit, guarded, run
from harness.errors import Trouble


def raising(error: BaseException):
    def verb() -> int:
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (Trouble("it is wrong", "mend it"), Exit.TROUBLE, "error: it is wrong: mend it"),
        (Trouble("two\nlines"), Exit.TROUBLE, "error: two lines"),
        (KeyboardInterrupt(), Exit.UNKNOWN, "interrupted: the verdict is unknown"),
        (
            ModuleNotFoundError("x", name="aiortc.sdp"), Exit.TROUBLE,
            "error: aiortc.sdp is not installed: pip install 'gurukul-harness[peers]'",
        ),
        (
            ModuleNotFoundError("x", name="locust"), Exit.TROUBLE,
            "error: locust is not installed: pip install 'gurukul-harness[load]'",
        ),
    ],
)  # fmt: skip
def test_what_stops_a_verb_is_one_line(capsys: pytest.CaptureFixture, error: BaseException, status: int, line: str):
    """No traceback; a missing extra is named."""
    assert guarded(raising(error)) == status
    assert capsys.readouterr().err == line + "\n"


def test_a_full_disk_is_no_fault_of_our_own(capsys: pytest.CaptureFixture):
    """One line, wherever nobody else tells it better."""
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/some/file")
    assert guarded(raising(error)) == Exit.TROUBLE
    said = capsys.readouterr().err
    assert said.startswith("error: there is no room on a disk (")
    assert "/some/file" in said
    assert said.count("\n") == 1
    assert guarded(raising(OSError(errno.EIO, os.strerror(errno.EIO)))) == Exit.TROUBLE
    assert "a fault of our own (OSError)" in capsys.readouterr().err


def test_a_fault_of_our_own_is_never_taken_for_a_verdict(capsys: pytest.CaptureFixture):
    """Exit 3, with the traceback that we need."""
    assert guarded(raising(ZeroDivisionError("oh"))) == Exit.TROUBLE
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert said.endswith("error: a fault of our own (ZeroDivisionError): please report what stands above\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("interrupted", "says"), [(Exit.UNKNOWN, "interrupted"), (Exit.VALID, "stopping")])
def test_a_signal_cancels_the_verb_once(capsys: pytest.CaptureFixture, number, interrupted: int, says: str):
    """The verb's own clean-up ends, also when the signal comes again; then the exit status is the one for it."""
    trace = []

    async def verb() -> int:
        try:
            os.kill(os.getpid(), number)
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            trace.append("cleaned up")
        return 0

    assert run(verb(), interrupted=interrupted) == interrupted
    assert trace == ["cleaned up"]
    assert says in capsys.readouterr().err


def test_a_verb_that_keeps_what_it_has_says_its_own_status():
    """A cancelled verb may still store its run and return what that means."""

    async def verb() -> int:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Exit.UNKNOWN
        return Exit.VALID

    assert run(verb(), interrupted=Exit.VALID) == Exit.UNKNOWN
