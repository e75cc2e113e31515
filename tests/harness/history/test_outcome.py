"""One table decides whether a call took effect."""

from __future__ import annotations

import asyncio
import errno

import pytest

from harness.history.op import Outcome
from harness.history.outcome import outcome_of_error, outcome_of_status, unreached


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (201, "ok"), (204, "ok"), (301, "info"), (400, "fail"), (401, "fail"), (404, "fail"), (408, "info"),
     (409, "fail"), (429, "fail"), (500, "info"), (502, "info"), (503, "info"), (504, "info"), (101, "info")],
)  # fmt: skip
def test_status(status: int, outcome: str) -> None:
    """2xx took effect, a refusal did not, and of everything else nobody can tell."""
    assert outcome_of_status(status) == Outcome(outcome)


def caused_by(cause: BaseException) -> BaseException:
    error = OSError("cannot connect")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(ConnectionRefusedError(), "fail"), (caused_by(ConnectionRefusedError()), "fail"), (TimeoutError(), "info"),
     (ConnectionResetError(), "info"), (asyncio.CancelledError(), "info"), (caused_by(ConnectionResetError()), "info")],
)  # fmt: skip
def test_error(error: BaseException, outcome: str) -> None:
    """Only a refused connection proves that nothing was sent."""
    assert outcome_of_error(error) == Outcome(outcome)


@pytest.mark.parametrize(
    ("error", "gone"),
    [(ConnectionRefusedError(), True), (ConnectionResetError(), True), (caused_by(ConnectionResetError()), True),
     (OSError(errno.EHOSTUNREACH, "no route"), True), (EOFError(), True), (TimeoutError(), False),
     (OSError(errno.EMFILE, "too many open files"), False), (OSError(errno.EADDRNOTAVAIL, "no port"), False),
     (ValueError("not JSON"), False), (asyncio.CancelledError(), False)],
)  # fmt: skip
def test_unreached(error: BaseException, gone: bool) -> None:
    """Nobody was there, or the connection ended; not so where it took too long, or our own machine had no more."""
    assert unreached(error) is gone
