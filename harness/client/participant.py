"""A participant: one signed-in user at one device, who behaves as the document's client and records all he does."""

from __future__ import annotations

import asyncio
import logging
import uuid
from dataclasses import dataclass
from typing import Any, Literal, Self

from harness.client.attempt import Attempt, UserRecorder, attempt, insist
from harness.client.dialect import Account, CallBroke, CallRefused, Identity, JoinAnswer, Link, Watch
from harness.client.search import Search
from harness.client.signalling import SignalChannel
from harness.client.transport import Transport, probe
from harness.history.op import Via
from harness.history.recorder import Call, Recorder
from harness.protocol.changes import SessionSeen

log = logging.getLogger(__name__)

__all__ = ["JoinReply", "Participant", "SessionSeen", "Transport", "probe"]


@dataclass(frozen=True, slots=True)
class JoinReply:
    """What became of a join: its HTTP status (0 where no answer came), and the session where the reply names one."""

    status: int
    session: SessionSeen | None = None

    @property
    def ok(self) -> bool:
        """Whether the user stands in the queue, or is matched already, for certain."""
        return 200 <= self.status < 300


Hears = Literal["both", "push", "poll"]
"""How a user learns of his match, as far as the target offers it: both ways, as the document's client, or one alone."""

_STANDS = 3.0
"""Times the `notify` budget that a subscription may take to stand."""


class Participant:
    """One user of a target. Calls that fail are outcomes in the history, not exceptions.

    Use `await Participant.enter(…)`, then `connect`, `join`, `subscribe_matches`, `next_match` in the document's
    order (section 14; PROTOCOL 4), and `close` at the end.
    """

    def __init__(
        self, transport: Transport, recorder: Recorder, account: Account, device: str, hears: Hears = "both"
    ) -> None:
        self.account = account
        self._target = transport.target
        self._pushed = transport.target.capabilities.push and hears != "poll"
        self._polls = transport.target.capabilities.poll and hears != "push"
        self._dialect = transport.dialect
        self._recorder = UserRecorder(recorder, account.user, device)
        self._search = Search(self._recorder)
        self._link: Link | None = None
        self._half_open: list[Link] = []
        self._watch: Watch | None = None
        self._channels: dict[str, SignalChannel] = {}
        self._vanished = False
        self._poll_wait = 0.0

    @classmethod
    async def enter(
        cls,
        transport: Transport,
        recorder: Recorder,
        device: str = "d1",
        identity: Identity | None = None,
        hears: Hears = "both",
    ) -> Self:
        """Signs a user up, or in, by the target's identities.

        Args:
            transport: an entered transport.
            recorder: takes the ops.
            device: names this device of the user in the history.
            identity: credentials, or another participant's `account` for a second device of the same user.
            hears: how he learns of his match.

        Raises:
            Trouble: the target's settings or the target file cannot give us a user.
            NotAdmitted: this one sign-in failed.
        """
        return cls(transport, recorder, await transport.dialect.sign_in(identity), device, hears)

    @property
    def user(self) -> str:
        """The user's id."""
        return self.account.user

    @property
    def device(self) -> str:
        """The name of this device in the history."""
        return self._recorder.device

    # ------------------------------------------------------------ the socket

    async def connect(self) -> None:
        """Opens the socket; from now on it beats, reconnects and rejoins by itself. A second call does nothing.

        Raises:
            NotAdmitted: it cannot be opened.
        """
        if self._link is not None:
            return
        link = self._dialect.link(self.account, self)
        await link.open()
        self._link = link
        if self._vanished:
            self._vanished = False
            self._recorder.saw("back", Via.WS)

    async def subscribe_matches(self) -> None:
        """Asks to be told of new sessions of this user. Returns with the target's first answer.

        The moment when the database subscription stands is recorded when it comes (`subscribe {topic, reply, ready}`).
        Nothing happens where the target offers no push, or the user hears none.
        """
        if not self._pushed or self._watch is not None:
            return
        await self.connect()
        if self._link is not None:
            self._watch = await self._link.watch_matches(self._search)

    async def vanish(self, kind: Literal["close", "silent"]) -> None:
        """Goes away without a word: the tab is closed (`close`), or the machine is cut off (`silent`).

        Silent leaves the TCP connection open, and neither reads nor answers pings.
        """
        call = self._recorder.begin("disconnect", Via.SELF, kind=kind)
        link, self._link = self._link, None
        self._vanished = True
        self._forget_subscriptions()
        if link is not None and kind == "silent":
            link.freeze()
            self._half_open.append(link)
        elif link is not None:
            await link.close()
        call.ok()

    def cut(self) -> None:
        """His connection breaks, as when a network changes; the client reconnects and rejoins by itself."""
        if self._link is not None:
            self._link.cut()

    async def close(self) -> None:
        """Ends everything this participant has open. May be called twice. An open socket's end is a `disconnect`."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            await channel.close()
        if self._link is not None:
            await self.vanish("close")
        half_open, self._half_open = self._half_open, []
        for link in half_open:
            await link.close()

    # ------------------------------------------------------------ matching

    async def join(self, mode: str = "global", due: float | None = None, *, wait_out_limits: bool = True) -> JoinReply:
        """Joins the queue; a rate limit is waited out by its Retry-After, each try being an op of its own.

        Args:
            mode: `global` or `buddies_first`.
            due: when this join should have started, in the recorder's seconds (open arrivals).
            wait_out_limits: False returns a 429 at once.
        """
        self._search.begin()
        if not self._polls:  # who cannot ask must listen before he joins
            await self.subscribe_matches()
            await self._search.stands(_STANDS * self._target.budgets.notify)

        async def once() -> Attempt[JoinAnswer]:
            call = self._recorder.begin("join", Via.HTTP, due=due, mode=mode, token=uuid.uuid4().hex)
            return await attempt(call, self._dialect.join(self.account, mode), _show_join)

        result = await (insist(once) if wait_out_limits else once())
        session = result.value.session if result.value else None
        if session is not None:
            self._search.found(session)
        return JoinReply(result.value.status if result.value else result.status, session)

    async def leave(self) -> bool:
        """Leaves the queue; True where the target accepted it for certain."""
        return (await attempt(self._recorder.begin("leave", Via.HTTP), self._dialect.leave(self.account))).ok

    async def poll(self) -> SessionSeen | None:
        """Asks for an active session of this user, as the document's fallback does. None also where the call failed.

        What it shows counts as the match of the last join, unless there is one already. Where the target offers no
        poll, or the user makes none, that match is looked at by its id, and no match is none.
        """
        if not self._polls:
            told = self._search.match
            seen = None if told is None else await self.look(told.id)
            return seen if seen is not None and seen.active else None
        call = self._recorder.begin("poll", Via.POLL)
        result = await attempt(call, self._dialect.active_session(self.account), _show_session)
        self._poll_wait = (result.wait or 0.0) if result.status == 429 else 0.0
        if result.value is not None:
            self._search.found(result.value)
        return result.value

    async def status(self) -> str | None:
        """Asks where he stands: `waiting`, `matched`, `expired`, `idle`; None where the target does not tell.

        A waiter learns so that he was dropped (MM-L4); `status {state}` is recorded, refused where nobody tells.
        """
        call = self._recorder.begin("status", Via.HTTP)
        return (await attempt(call, self._dialect.status(self.account), lambda state: {"state": state})).value

    async def look(self, session_id: str) -> SessionSeen | None:
        """Asks for one session by its id, whatever its status; None where it is hidden, gone, or the call failed."""
        call = self._recorder.begin("look", Via.HTTP, id=session_id)
        return (await attempt(call, self._dialect.session(self.account, session_id), _show_session)).value

    async def next_match(self, patience: float) -> SessionSeen | None:
        """The match of the last join, by push, join reply or poll, whichever is first; then unsubscribes.

        Polls every `budgets.poll_interval` seconds (later where a poll is told to wait). None after `patience` seconds;
        the subscription then stays, and another call goes on waiting.
        """
        loop = asyncio.get_running_loop()
        interval = self._target.budgets.poll_interval if self._polls else patience
        deadline = loop.time() + patience
        next_poll = loop.time() + interval
        while True:
            session = await self._search.wait(min(next_poll, deadline) - loop.time())
            if session is not None:
                await self._stop_searching()
                return session
            if loop.time() >= deadline:
                return None
            await self.poll()
            next_poll = max(next_poll + interval, loop.time() + self._poll_wait)

    async def end(self, session_id: str) -> bool:
        """Ends a session, as the document's client does; True where the target accepted it for certain."""
        channel = self._channels.get(session_id)
        if channel is not None:
            channel.own_end = True
        call = self._recorder.begin("end", Via.HTTP, id=session_id)
        result = await attempt(call, self._dialect.end(self.account, session_id))
        if channel is not None and 400 <= result.status < 500:
            channel.own_end = False
        return result.ok

    async def skip(self, session_id: str) -> bool:
        """Leaves the partner for another one; True where the target took it for certain (an `end` by skip)."""
        channel = self._channels.get(session_id)
        if channel is not None:
            channel.own_end = True
        call = self._recorder.begin("end", Via.HTTP, id=session_id, by="skip")
        result = await attempt(call, self._dialect.skip(self.account, session_id), lambda ended: {"ended": ended})
        if channel is not None and 400 <= result.status < 500:
            channel.own_end = False
        return result.ok

    async def forget(self, session_id: str) -> None:
        """Stops listening to a session that he is done with."""
        channel = self._channels.pop(session_id, None)
        if channel is not None:
            await channel.close()

    async def befriend(self, other: Participant) -> bool:
        """Asks another user to be a buddy, who accepts; True where both took effect for certain.

        What is recorded is the acceptance: from then on the two are buddies.
        """
        try:
            await self._dialect.ask_friendship(self.account, other.user)
        except (CallBroke, CallRefused) as error:
            log.warning("user %s could not ask for a friendship: %s", self.user, error)
            return False
        return await other.accept(self)

    async def accept(self, asker: Participant) -> bool:
        """Accepts what another user has asked."""
        call = self._recorder.begin("befriend", Via.HTTP, buddy=asker.user)
        try:
            accepted = await self._dialect.accept_friendship(self.account, asker.user)
        except CallRefused as refusal:
            call.answered(refusal.status, error=refusal.detail)
            return False
        except CallBroke as broke:
            call.broke(broke.cause)
            return False
        end = call.ok if accepted else call.fail
        end()
        return accepted

    def signalling(self, session: SessionSeen) -> SignalChannel:
        """The signals of a session; the same channel for the same session. The socket must be connected.

        Raises:
            RuntimeError: the socket is not connected.
        """
        if self._link is None:
            raise RuntimeError("a participant must be connected before he can signal")
        channel = self._channels.get(session.id)
        if channel is None:
            channel = SignalChannel(self._recorder, self._dialect, self.account, self._link, session)
            self._channels[session.id] = channel
        return channel

    # ------------------------------------------------------------ what the socket tells (LinkObserver)

    def beat_sent(self) -> Call:
        """A heartbeat is a sign of life, and so it is an op."""
        return self._recorder.begin("heartbeat", Via.WS)

    def beat_answered(self, beat: object) -> None:
        """Ends that op."""
        if isinstance(beat, Call):
            beat.ok()

    def link_lost(self, reason: str) -> None:
        """The socket broke without our doing."""
        self._recorder.saw("lost", Via.WS, reason=reason)

    def link_back(self) -> None:
        """The socket stands again."""
        self._recorder.saw("back", Via.WS)

    # ------------------------------------------------------------ inside

    async def _stop_searching(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            self._search.stopped()
            await watch.stop()

    def _forget_subscriptions(self) -> None:
        """The socket goes, and with it every subscription: their ops end, and nothing is unsubscribed."""
        if self._watch is not None:
            self._watch = None
            self._search.lost("the user vanished")
        for channel in self._channels.values():
            channel.lost("the user vanished")


def _show_join(answer: JoinAnswer) -> dict[str, Any]:
    shown: dict[str, Any] = {"status": answer.status}
    if answer.session is not None:
        shown["session"] = answer.session.value()
    return shown


def _show_session(session: SessionSeen | None) -> dict[str, Any]:
    return {"session": session.value() if session else None}
