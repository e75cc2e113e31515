"""A door: so many reads are worked on at once, the others wait their turn; what is short or urgent passes by."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

AT_ONCE = 256
"""Reads that are worked on at once: more than one batch of polls takes along (`reference_server.rest.polls`)."""
_READS = frozenset({"GET", "HEAD"})


class Door:
    """Wraps an application whose loop must come round often, for the sake of open sockets.

    Where thousands poll faster than they can be answered, all of them would be under way at once, and everything else
    would wait for all of them in each turn of the loop: heartbeats, joins, signals. So reads wait here, first come,
    first served. Only reads do: a request with a body might take its time, and keep others out.

    Args:
        app: what is behind the door.
        at_once: so many reads may be in there.
        besides: paths that no one waits for.
    """

    def __init__(self, app: ASGIApp, at_once: int = AT_ONCE, besides: Collection[str] = ()) -> None:
        self._app = app
        self._free = at_once
        self._besides = frozenset(besides)
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Lets a request in, or hands it a number."""
        if scope["type"] != "http" or scope["method"] not in _READS or scope["path"] in self._besides:
            return self._app(scope, receive, send)
        return self._one_of_many(scope, receive, send)

    async def _one_of_many(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._free:  # nearly always: a semaphore's three calls would be a thirtieth of what a read costs
            self._free -= 1
        else:
            await self._turn()
        try:
            await self._app(scope, receive, send)
        finally:
            self._hand_on()

    async def _turn(self) -> None:
        """Waits for the place of somebody who leaves."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # he was called at the moment when he gave up
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        """Gives a place to who has waited longest, or back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
