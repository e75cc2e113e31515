"""A user's search for a partner: the subscription to new sessions, and which session counts as his match."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from harness.client.attempt import UserRecorder
from harness.client.subscription import RecordedSubscription
from harness.history.op import Via
from harness.protocol.changes import SessionSeen


class Search(RecordedSubscription):
    """Waits for the first session after a join, whichever way it comes: push, join reply or poll."""

    def __init__(self, recorder: UserRecorder) -> None:
        super().__init__(recorder, f"matchmaking:{recorder.user}")
        self._found: SessionSeen | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._earlier: set[str] = set()
        self._stands = asyncio.Event()

    @property
    def match(self) -> SessionSeen | None:
        """The match of the last join, as far as it is known."""
        return self._found

    def asked(self) -> None:
        """A new attempt starts."""
        self._stands.clear()
        super().asked()

    def ready(self) -> None:
        """From now on no match is missed."""
        super().ready()
        self._stands.set()

    async def stands(self, timeout: float) -> None:
        """Waits until the subscription stands, or `timeout` seconds are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._stands.wait()

    def begin(self) -> None:
        """A new join: what was found so far belongs to an earlier one."""
        if self._found is not None:
            self._earlier.add(self._found.id)
        self._found = None

    def session(self, event: str, session: SessionSeen) -> None:
        """A push: recorded always, and the match unless it is a late one of an earlier join or somebody else's."""
        self._recorder.saw("push", Via.WS, session=session.value(), event=event)
        member = self._recorder.user in {session.user1, session.user2}
        if member and session.active and session.id not in self._earlier:
            self.found(session)

    def found(self, session: SessionSeen) -> None:
        """The target named this session; the first one counts."""
        if self._found is None:
            self._found = session
            for waiter in self._waiting:
                _wake(waiter)

    async def wait(self, timeout: float) -> SessionSeen | None:
        """The match, as soon as there is one; None after `timeout` seconds."""
        if self._found is None and timeout > 0:
            loop = asyncio.get_running_loop()
            waiter = loop.create_future()
            over = loop.call_later(timeout, _wake, waiter)  # a timeout's context costs more than all the rest of a poll
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)
                over.cancel()
        return self._found


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
