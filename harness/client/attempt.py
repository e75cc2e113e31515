"""Calls of one user, recorded: what was asked, what became of it, and when to ask again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from harness.client.dialect import CallBroke, CallRefused
from harness.history.op import Op, Via
from harness.history.recorder import Call, Recorder

RATE_PATIENCE = 90.0
"""How long a rate-limited call is tried again, in seconds: a little over the minute that the limits count in."""
_DEFAULT_WAIT = 1.0

T = TypeVar("T")


@dataclass(slots=True)
class Attempt(Generic[T]):
    """How a call ended: its value where it succeeded, the HTTP status (0 without an answer), and the wait asked for."""

    value: T | None
    status: int
    wait: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the call took effect for certain."""
        return 200 <= self.status < 300


class UserRecorder:
    """The recorder, in the name of one user at one device."""

    __slots__ = ("_recorder", "device", "user")

    def __init__(self, recorder: Recorder, user: str, device: str) -> None:
        self._recorder = recorder
        self.user = user
        self.device = device

    def now(self) -> float:
        """Seconds of the clock that stamps the ops."""
        return self._recorder.now()

    def begin(self, op: str, via: Via, *, due: float | None = None, **value: Any) -> Call:
        """Notes that a call starts now."""
        return self._recorder.begin(self.user, self.device, op, via, due=due, **value)

    def saw(self, op: str, via: Via, **value: Any) -> Op:
        """Notes something that was seen at this moment."""
        return self._recorder.saw(self.user, self.device, op, via, **value)


async def attempt(call: Call, request: Awaitable[T], show: Callable[[T], dict[str, Any]] | None = None) -> Attempt[T]:
    """Carries a request out and records how it ended; `show` says what of a success belongs into the op."""
    try:
        value = await request
    except CallRefused as refusal:
        waits = {"retry_after": refusal.retry_after} if refusal.status == 429 else {}
        call.answered(refusal.status, error=refusal.detail, **waits)
        return Attempt(None, refusal.status, refusal.retry_after)
    except CallBroke as broke:
        call.broke(broke.cause)
        return Attempt(None, 0)
    call.ok(**(show(value) if show else {}))
    return Attempt(value, 200)


async def insist(once: Callable[[], Awaitable[Attempt[T]]]) -> Attempt[T]:
    """Repeats an attempt that is answered 429, when its Retry-After says, for at most `RATE_PATIENCE` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + RATE_PATIENCE
    while True:
        result = await once()
        wait = _DEFAULT_WAIT if result.wait is None else result.wait
        if result.status != 429 or loop.time() + wait > deadline:
            return result
        await asyncio.sleep(wait)
