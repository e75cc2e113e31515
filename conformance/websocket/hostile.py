"""What hostile sockets have in common: they must be ended, and nobody else may notice them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from conformance.trial import Trial
from conformance.wire.realtime import ANSWER, RealtimeSocket, must, socket_of
from conformance.wire.socket import RawSocket, SocketLost

T = TypeVar("T")

SERVED = 5.0
"""Seconds in which a bystander must be answered: only a target that is held up takes so long for a heartbeat."""
_BETWEEN = 0.1
LIMIT = 5_000_000
"""Bytes of a message that a target takes at most (PROTOCOL 1.1)."""


async def is_ended(trial: Trial, socket: RawSocket, data: bytes, what: str, *codes: int) -> None:
    """Sends this, after which the target must end the connection, by a Close with one of the codes or by a cut."""
    with suppress(SocketLost):  # it may end while it is being sent to
        await socket.send(data, what)
    over = await socket.over(ANSWER)
    must(over, trial, socket, sent=what, came=f"the connection was still open after {ANSWER:.0f} s")
    code = socket.closed.close_code if socket.closed is not None else None
    right = code is None or code in codes
    must(right, trial, socket, sent=what, came=f"{socket.end} instead of {' or '.join(map(str, codes))}")


@asynccontextmanager
async def bystander(trial: Trial) -> AsyncIterator[RealtimeSocket]:
    """Somebody else, who must still be served when the block ends."""
    async with socket_of(trial) as socket:
        await socket.join("bystander")
        yield socket
        await is_served(trial, socket)


async def is_served(trial: Trial, socket: RealtimeSocket) -> None:
    """A heartbeat of somebody else must be answered soon."""
    served = await socket.alive(SERVED)
    must(served, trial, socket, sent="a bystander's heartbeat", came=f"no answer within {SERVED:.0f} s; {socket.end}")


async def served_while(trial: Trial, other: RealtimeSocket, answer: Awaitable[T]) -> T:
    """Waits for an answer, and until it comes somebody else must be served, again and again."""
    waiting = asyncio.ensure_future(answer)
    try:
        while not waiting.done():
            await is_served(trial, other)
            await asyncio.wait([waiting], timeout=_BETWEEN)
        return await waiting
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
