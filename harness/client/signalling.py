"""The signals of one session: a channel that loses none, and learns once that the session is over."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from harness.client.attempt import Attempt, UserRecorder, attempt, insist
from harness.client.dialect import Account, CallBroke, CallRefused, Dialect, Link, Watch
from harness.client.subscription import RecordedSubscription
from harness.history.op import Via
from harness.protocol.changes import MessageSeen, SessionSeen
from harness.protocol.malformed import Malformed
from harness.protocol.retry import rejoin_delay
from harness.protocol.signal import CALL_ENDED, Signal, decode_signal, encode_signal

log = logging.getLogger(__name__)

READY_PATIENCE = 10.0
"""How long after the reply the database subscription may take before earlier signals are fetched all the same."""
_FETCH_TRIES = 4


class SignalChannel(RecordedSubscription):
    """Sends and receives the signals of a session, in the order in which the target keeps them.

    Changes that commit between the join's reply and the moment when the database subscription stands are never
    pushed (PROTOCOL 1.4). So what is pushed is held back until the rows that were there have been fetched once,
    and after each reconnect again; rows are told apart by their id.

    `ended` is set when the session is known to be over: by a `call-ended` of the partner, by the row's change, or
    by the fetch. The first of them is recorded as `told`, unless this user ended the session himself.
    """

    def __init__(
        self, recorder: UserRecorder, dialect: Dialect, account: Account, link: Link, session: SessionSeen
    ) -> None:
        super().__init__(recorder, f"session:{session.id}")
        self.session_id = session.id
        self.seen = session
        self.ended = asyncio.Event()
        self._dialect = dialect
        self._account = account
        self._link = link
        self._watch: Watch | None = None
        self._inbox: asyncio.Queue[Signal] = asyncio.Queue()
        self._known: set[str] = set()
        self._held: list[MessageSeen] | None = []
        self._fetch: asyncio.Task[None] | None = None
        self._overdue: asyncio.TimerHandle | None = None
        self._fetch_again = False
        self._sent = 0
        self.own_end = False
        """This user is ending the session himself: then he need not be told."""

    # ------------------------------------------------------------ what the user does

    async def open(self) -> None:
        """Subscribes; returns once the target answered. Earlier signals are fetched as soon as the channel stands."""
        if self._watch is None:
            self._watch = await self._link.watch_session(self.session_id, self)

    async def send(self, kind: str, /, **body: object) -> bool:
        """Writes one signal (PROTOCOL 4), waiting out a rate limit. True where it was accepted for certain."""
        self._sent += 1
        seq = self._sent
        content = encode_signal(kind, seq, body)

        async def once() -> Attempt[int]:
            call = self._recorder.begin("signal_send", Via.HTTP, id=self.session_id, seq=seq, type=kind)
            return await attempt(call, self._dialect.send(self._account, self.session_id, content))

        return (await insist(once)).ok

    async def receive(self, timeout: float | None = None) -> Signal:
        """The partner's next signal; waits for ever where no time is given.

        Raises:
            TimeoutError: none came within `timeout` seconds.
        """
        if timeout is None or not self._inbox.empty():
            return await self._inbox.get()
        async with asyncio.timeout(max(0.0, timeout)):
            return await self._inbox.get()

    async def close(self) -> None:
        """Unsubscribes, and ends the fetch. May be called twice."""
        self._settle()
        fetch, self._fetch = self._fetch, None
        if fetch is not None:
            fetch.cancel()
            await asyncio.wait([fetch])
        watch, self._watch = self._watch, None
        if watch is not None:
            self.stopped()
            await watch.stop()

    # ------------------------------------------------------------ what the socket tells

    def asked(self) -> None:
        """Another subscription starts: hold back what is pushed until the rows in between have been fetched."""
        super().asked()
        if self._held is None:
            self._held = []

    def replied(self) -> None:
        """Accepted, but not standing yet."""
        super().replied()
        self._settle()
        self._overdue = asyncio.get_running_loop().call_later(READY_PATIENCE, self._catch_up)

    def ready(self) -> None:
        """It stands: fetch what was written before."""
        super().ready()
        self._catch_up()

    def refused(self, reason: str) -> None:
        """No pushes will come: at least fetch what there is."""
        super().refused(reason)
        self._catch_up()

    def lost(self, reason: str) -> None:
        """The socket is gone; the next subscription fetches."""
        super().lost(reason)
        self._settle()

    def session(self, event: str, session: SessionSeen) -> None:
        """The session's row changed."""
        if session.id == self.session_id and not session.active:
            self._told("update" if event == "UPDATE" else event.lower())

    def message(self, message: MessageSeen) -> None:
        """A message was pushed."""
        if self._held is not None:
            self._held.append(message)
        else:
            self._deliver(message, "push")

    # ------------------------------------------------------------ inside

    def _settle(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _catch_up(self) -> None:
        """Fetches, or where a fetch is under way (it may have read too early) makes it fetch once more."""
        self._settle()
        self._fetch_again = True
        if self._fetch is None or self._fetch.done():
            self._fetch = asyncio.get_running_loop().create_task(self._fetch_all(), name="signals: fetch")

    async def _fetch_all(self) -> None:
        while self._fetch_again:
            self._fetch_again = False
            await self._fetch_earlier()

    async def _fetch_earlier(self) -> None:
        for tried in range(1, _FETCH_TRIES + 1):
            call = self._recorder.begin("fetch", Via.HTTP, id=self.session_id)
            try:
                rows = await self._dialect.messages(self._account, self.session_id)
                session = await self._dialect.session(self._account, self.session_id)
            except (CallBroke, CallRefused) as error:
                call.fail(error=str(error))
                log.warning("signals of session %s could not be fetched: %s", self.session_id, error)
                wait = error.retry_after if isinstance(error, CallRefused) else None
                await asyncio.sleep(wait if wait is not None else rejoin_delay(tried))
                continue
            self._release(rows)  # first: a fetch that is on record, and what it brought is not, would accuse the target
            call.ok(rows=len(rows), session=session.value() if session else None)
            if session is not None and not session.active:
                self._told("fetch")
            return
        self._release([])

    def _release(self, rows: list[MessageSeen]) -> None:
        """Delivers what was fetched, then what was pushed meanwhile."""
        held, self._held = self._held or [], None
        for message in rows:
            self._deliver(message, "fetch")
        for message in held:
            self._deliver(message, "push")

    def _deliver(self, message: MessageSeen, by: str) -> None:
        if message.sender == self._recorder.user or message.id in self._known:
            return
        self._known.add(message.id)
        signal = None
        with suppress(Malformed):
            signal = decode_signal(message)
        if signal is None:
            return
        self._recorder.saw(
            "signal_recv", Via.WS, id=signal.session, sender=signal.sender, seq=signal.seq, type=signal.kind,
            message=signal.id, by=by, channel=self.session_id,
        )  # fmt: skip
        if signal.session != self.session_id:
            return  # a stray signal of another session is noted, and is not ours
        self._inbox.put_nowait(signal)
        if signal.kind == CALL_ENDED:
            self._told(CALL_ENDED)

    def _told(self, by: str) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        if not self.own_end:
            self._recorder.saw("told", Via.WS, id=self.session_id, by=by)
