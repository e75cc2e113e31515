"""Clocks: whose seconds a journal counts, and how ops of several machines come onto one clock."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import orjson
from msgspec.structs import replace

from harness.history.op import Op

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEYS = {"id", "offset", "error"}
_WIDTH = 200


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock that stamped a journal, as its first line may state it: `{"clock": {"id", "offset", "error"}}`.

    All processes of one machine share a clock. `offset` is what must be added to its seconds to have those of the clock
    that the others are compared with; that sum is right within `error` seconds, to either side.
    """

    id: str
    offset: float = 0.0
    error: float = 0.0

    def record(self) -> dict[str, Any]:
        """As it stands in a journal."""
        return {"clock": {"id": self.id, "offset": self.offset, "error": self.error}}

    def line(self) -> bytes:
        """The first line of a journal: always of the same width, so that it can be written again in its place."""
        return orjson.dumps(self.record()).ljust(_WIDTH) + b"\n"


def clock_of(row: Any) -> Clock | None:
    """The clock that a line of a journal states; None where it states none. Raises ValueError with what is wrong."""
    if not isinstance(row, dict) or "clock" not in row:
        return None
    stated = row["clock"]
    if len(row) != 1 or not isinstance(stated, dict) or not stated.keys() <= _KEYS:
        raise ValueError('a clock is stated as {"clock": {"id": …, "offset": …, "error": …}}')
    name, offset, error = stated.get("id"), stated.get("offset", 0.0), stated.get("error", 0.0)
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise ValueError(f"the id of a clock is a word of letters, digits, - and _, not {name!r}")
    if not _finite(offset) or not _finite(error) or error < 0:
        raise ValueError("offset and error of a clock are seconds, and the error is not negative")
    return Clock(name, float(offset), float(error))


def _finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def on_reference(op: Op, clock: Clock) -> Op:
    """The op by the clock that all are compared with: moved by the offset, and made longer by the error at both ends.

    An interval that grew says less, and never something else: the checkers reason on what lies certainly within. Where
    a subscription stood is counted from the op's start, so that moves to the latest moment that is possible.
    """
    value = op.value
    if clock.error and isinstance(value.get("ready"), int | float):
        value = {**value, "ready": value["ready"] + 2 * clock.error}
    return replace(
        op,
        t0=op.t0 + clock.offset - clock.error,
        t1=None if op.t1 is None else op.t1 + clock.offset + clock.error,
        due=None if op.due is None else op.due + clock.offset,
        process=f"{op.process}@{clock.id}",
        value=value,
    )
