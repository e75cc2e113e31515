"""Time that jumps to the next timer whenever nothing is left to do, or runs with the wall."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

_BUSY = 64
"""Turns of a busy loop between two looks at files."""


class Pace(StrEnum):
    """How an event loop's seconds pass."""

    VIRTUAL = "virtual"
    """Waiting costs nothing: the clock jumps to the next timer when nothing is ready."""
    REAL = "real"
    """Seconds are those of the wall. Needed where packets are lost: OpenSSL times DTLS retransmissions by the wall."""


class Clock:
    """The seconds of one event loop, beginning at 0."""

    def __init__(self, pace: Pace) -> None:
        self._now = 0.0
        self._holds = 0
        self._offset = 0.0
        if pace is Pace.REAL:
            self.hold()

    @property
    def held(self) -> bool:
        """Whether seconds pass as they do on the wall."""
        return self._holds > 0

    def time(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() + self._offset if self._holds else self._now

    def jump(self, seconds: float) -> None:
        """Moves on at once."""
        self._now += seconds

    def hold(self) -> None:
        """From now on, and until as many releases, time passes with the wall."""
        if not self._holds:
            self._offset = self._now - time.monotonic()
        self._holds += 1

    def release(self) -> None:
        """Takes one hold back."""
        self._holds -= 1
        if not self._holds:
            self._now = time.monotonic() + self._offset

    @contextmanager
    def virtual_time(self) -> Iterator[None]:
        """Time jumps inside this block, also on a loop in real time: for when nobody waits for anything real."""
        self.release()
        try:
            yield
        finally:
            self.hold()

    @contextmanager
    def real_time(self) -> Iterator[None]:
        """Time passes with the wall inside this block: for waiting on what is outside the virtual network."""
        self.hold()
        try:
            yield
        finally:
            self.release()


class JumpingSelector(selectors.DefaultSelector):
    """Looks for ready files as any selector does, but moves the clock instead of waiting."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._unlooked = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready. Without any timer it waits for files, since nothing else can happen any more.

        While the pace is virtual nothing real is waited for, so that between calls of a busy loop files are looked at
        only now and then: to look each time costs more than most of the calls.
        """
        if timeout == 0 and not self._clock.held and self._unlooked < _BUSY:
            self._unlooked += 1
            return []
        self._unlooked = 0
        if timeout is None or timeout <= 0 or self._clock.held:
            return self._wait(timeout)
        ready = self._wait(0)
        if not ready:
            self._clock.jump(timeout)
        return ready

    def _wait(self, timeout: float | None) -> list[Any]:
        return super().select(timeout)
