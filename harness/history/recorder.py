"""The recorder: every call and every sight becomes one op of the history."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from harness.history.op import FAIL, INFO, OK, Op, Outcome, Via
from harness.history.outcome import outcome_of_error, outcome_of_status, unreached

EFFECTS = frozenset({"join", "leave", "end", "signal_send", "befriend"})
"""Calls that change what others see: a history that lacks one of them may accuse a right target."""


class Sink(Protocol):
    """Where finished ops go: a journal on disk, or a list in a test."""

    def append(self, op: Op) -> None:
        """Keeps one op."""


class Call(Struct, gc=False):
    """A call under way. Exactly one of `ok`, `fail`, `info`, `answered` or `broke` ends it; later ends are ignored."""

    _recorder: Recorder | None
    op: Op

    def _end(self, outcome: Outcome, value: dict[str, Any]) -> Op:
        op, recorder = self.op, self._recorder
        if recorder is not None:
            self._recorder = None
            op.outcome = outcome
            op.value.update(value)
            recorder.finish(op)
        return op

    def ok(self, **value: Any) -> Op:
        """The call took effect; `value` is added to what the op says."""
        return self._end(OK, value)

    def fail(self, **value: Any) -> Op:
        """The call certainly took no effect."""
        return self._end(FAIL, value)

    def info(self, **value: Any) -> Op:
        """The call may have taken effect."""
        return self._end(INFO, value)

    def answered(self, status: int, **value: Any) -> Op:
        """The call was answered with an HTTP status, which decides the outcome."""
        value["status"] = status
        return self._end(outcome_of_status(status), value)

    def broke(self, error: BaseException, **value: Any) -> Op:
        """The call ended in an exception, which decides the outcome; `unreached` where it had no connection."""
        told = {"error": f"{type(error).__name__}: {error}"} | ({"unreached": True} if unreached(error) else {})
        return self._end(outcome_of_error(error), told | value)


class Recorder:
    """Numbers, times and keeps ops of one generator process.

    Args:
        sink: where finished ops go.
        process: name of this generator process, unique within a run.
        seed: the run's seed, written into each op.
        clock: monotonic seconds.
        announce: is told of each call of EFFECTS before it is sent, so that a killed process leaves what was under way.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        process: str = "p0",
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
        announce: Callable[[Op], None] | None = None,
    ) -> None:
        self._sink = sink
        self._announce = announce
        self._process = process
        self._seed = seed
        self._clock = clock
        self._next = 0
        self._open: dict[int, Op] = {}

    def now(self) -> float:
        """Seconds of the clock that stamps the ops."""
        return self._clock()

    def begin(self, user: str, device: str, op: str, via: Via, *, due: float | None = None, **value: Any) -> Call:
        """Notes that a call starts now."""
        self._next += 1
        t0, process, seed = self._clock(), self._process, self._seed
        entry = Op(self._next, t0, None, process, user, device, op, INFO, via, value, seed, due)
        self._open[entry.n] = entry
        if self._announce is not None and op in EFFECTS:
            self._announce(entry)
        return Call(self, entry)

    def saw(self, user: str, device: str, op: str, via: Via, **value: Any) -> Op:
        """Notes something that was seen at this moment (a push, a told end, a closed tab)."""
        self._next += 1
        now = self._clock()
        entry = Op(self._next, now, now, self._process, user, device, op, OK, via, value, self._seed)
        self._sink.append(entry)
        return entry

    def finish(self, op: Op) -> None:
        """Stamps the end of a call and hands it to the sink."""
        self._open.pop(op.n, None)
        op.t1 = self._clock()
        self._sink.append(op)

    def close(self) -> None:
        """Writes every call that never came back, as `info` without an end."""
        for op in list(self._open.values()):
            self._sink.append(op)
        self._open.clear()
