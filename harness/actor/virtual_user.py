"""A user who plays a persona: he searches, is matched, connects, talks and leaves, as the document's client does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import Any

from harness.actor.flooding import flood
from harness.actor.journey import Journey, Span
from harness.actor.rehearsal import rehearse
from harness.actor.scene import Scene
from harness.client.dialect import NotAdmitted, NotReached
from harness.client.participant import JoinReply, Participant
from harness.client.signalling import SignalChannel
from harness.history.op import Outcome, Via
from harness.history.outcome import outcome_of_status
from harness.network.lab import Place
from harness.network.nat import NatKind
from harness.peer.peer import Peer
from harness.peer.ports import Network
from harness.peer.stage import Role, Stage
from harness.protocol.changes import SessionSeen
from harness.protocol.retry import rejoin_delay

_A_DAY = 86_400.0
_AFTER_SKIP = 0.5
"""Seconds from a skip to the next join, which asks for anybody, as the document's client does (PROTOCOL 4)."""
_STAYS_AWAY = 1.0
"""Seconds that who vanished stays away longer than his partner may stay untold."""
_LOITERS = 1.0
"""How many seconds who wants to leave as somebody joins waits for somebody."""
_TRIES = 3
"""How often a user knocks, and how often he asks for a partner, while nobody answers."""


class VirtualUser:
    """One journey of one user, who searches once or several times. Make it with `enter`; `close` it in the end.

    Args:
        participant: signed in, with his socket open.
        scene: what he shares with the others.
        seed: decides all that is left to chance, as how long he talks.
        nat: what he lives behind, where the scene has a population.
    """

    def __init__(self, participant: Participant, scene: Scene, seed: int, nat: NatKind | None = None) -> None:
        self._participant = participant
        self._scene = scene
        self._seed = seed
        self._intent = scene.persona.intent(seed)
        self._mode = scene.persona.mode
        self._gone = False
        self._nat = nat
        self._peer: Peer | None = None
        self._place: Place | None = None

    @classmethod
    async def enter(cls, scene: Scene, seed: int, nat: NatKind | None = None) -> VirtualUser:
        """Signs a user up (or in), opens his socket and makes his friends; where nobody answers he comes again.

        That he could not enter is an op `enter` of nobody.

        Raises:
            NotAdmitted: this user could not enter.
            Trouble: nobody can.
        """
        for tried in range(1, _TRIES + 1):
            try:
                return cls(await _enter(scene, seed), scene, seed, nat)
            except NotAdmitted as refusal:
                if tried == _TRIES or not isinstance(refusal, NotReached):
                    _kept_out(scene, refusal)
                    raise
            await asyncio.sleep(rejoin_delay(tried))
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        """Closes his connection, his place and his socket. May be called twice."""
        self._scene.circle.leave(self._participant)
        try:
            await self.disconnect()
        finally:
            await self._participant.close()

    async def disconnect(self) -> None:
        """Closes his connection and his place; the socket stays. May be called twice."""
        peer, self._peer = self._peer, None
        place, self._place = self._place, None
        try:
            if peer is not None:
                await peer.close()
        finally:
            if place is not None:
                place.close()

    async def play(self, due: float, joined: Callable[[], None]) -> Journey:
        """Plays the journey, from the first join to the end of the last session or of his patience.

        Args:
            due: when he arrives, in seconds of the recorder's clock; a start later than that is kept in the history.
            joined: is called as soon as his first join is answered, whatever the answer.

        Returns:
            How far he came in his first search.
        """
        await self._sleep_until(due)
        late = max(0.0, self._now() - due)
        persona = self._scene.persona
        with nullcontext() if persona.storm is None else self._scene.storm.reaches(self._participant.cut):
            if persona.flood is not None:
                return replace(await self._flood(joined), late=late)
            last = first = await self._round(due, joined)
            for number in range(1, persona.rounds):
                if not last.joined or self._gone or not await self._again(number):
                    break
                last = await self._round(None, lambda: None)
        return replace(first, late=late)

    async def _round(self, due: float | None, joined: Callable[[], None]) -> Journey:
        """One search and what comes of it; only the first of a user was due at some time."""
        since = self._now() if due is None else due
        with self._scene.quiet.waiting():
            try:
                reply = await self._join(due, since)
            finally:
                joined()
            if outcome_of_status(reply.status) is Outcome.FAIL:
                return Journey(self._participant.user, joined=False, late=0.0)
            ghost = self._intent.vanish == "waiting" and reply.session is None
            session = await (self._haunt() if ghost else self._search(since, reply))
        if self._gone:
            await self._stay_away()
        elif session is None:
            session = await self._give_up()
        if session is None:
            return Journey(self._participant.user, joined=True, late=0.0)
        stage = await self._meet(session)
        return Journey(self._participant.user, joined=True, late=0.0, session=session.id, stage=stage)

    async def _again(self, number: int) -> bool:
        """Thinks, and decides whether to search once more: not when nobody comes any more."""
        quiet = self._scene.quiet
        await self.disconnect()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._intent.think):
                await quiet.begun.wait()
        self._mode = self._scene.persona.mode if self._intent.skip is None else "global"
        self._intent = self._scene.persona.intent(self._seed, number)
        return not quiet.begun.is_set()

    async def _flood(self, joined: Callable[[], None]) -> Journey:
        """Floods the target, as his persona says; he counts as one who has come."""
        plan = self._scene.persona.flood
        assert plan is not None  # noqa: S101 — the caller looked
        joined()
        lasts = plan.lasts.draw(random.Random(f"{self._seed}/flood"))
        await flood(self._participant, plan, self._mode, lasts, self._scene.quiet)
        return Journey(self._participant.user, joined=True, late=0.0)

    # ------------------------------------------------------------ searching

    async def _join(self, due: float | None, since: float) -> JoinReply:
        """Joins. A client tries once (document, section 8); a person who has no answer and no match tries again."""
        reply = await self._join_once(due, since)
        for tried in range(1, _TRIES):
            if outcome_of_status(reply.status) is not Outcome.INFO or await self._participant.poll() is not None:
                break
            await asyncio.sleep(rejoin_delay(tried))
            reply = await self._join_once(None, self._now())
        return reply

    async def _join_once(self, due: float | None, since: float) -> JoinReply:
        self._scene.doorway.comes()
        reply = await self._participant.join(self._mode, due=due)
        self._report("join", since, "" if reply.ok else f"answered {reply.status}" if reply.status else "no answer")
        return reply

    async def _search(self, since: float, reply: JoinReply) -> SessionSeen | None:
        """Waits for a match until his patience ends, or the quiet time does; then he looks one last time.

        Who was told of his match when he joined has nothing to wait for, and asks for no news.
        """
        if reply.session is None:
            await self._participant.subscribe_matches()
        patience = 0.0 if self._intent.crosses else self._intent.patience
        wait = self._participant.next_match(_A_DAY if patience is None else patience)
        session = await _until(wait, self._scene.quiet.closing)
        if session is None:
            session = await self._participant.poll()
        self._report("match", since, "" if session else "nobody came")
        return session

    async def _haunt(self) -> None:
        """Subscribes, so that the target knows whose socket it is, and goes in a moment, whatever comes meanwhile."""
        await self._participant.subscribe_matches()
        await asyncio.sleep(self._intent.vanish_after)
        await self._vanish()

    async def _give_up(self) -> SessionSeen | None:
        """Leaves the queue; who waited into the quiet time does so when it is over, for the drain must stay quiet.

        Returns:
            The session that he was matched into while he left, where he looks back.
        """
        if self._intent.crosses:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOITERS):
                    await self._scene.doorway.somebody()
        if self._scene.quiet.closing.is_set():
            await self._scene.quiet.over.wait()
        await self._participant.leave()
        return await self._participant.poll() if self._scene.persona.looks_back else None

    async def _vanish(self) -> None:
        """Goes without a word."""
        self._gone = True
        await self.disconnect()
        await self._participant.vanish(self._intent.kind)

    async def _stay_away(self) -> None:
        """Does nothing until everybody must have noticed."""
        budgets = self._scene.transport.target.budgets
        await asyncio.sleep(budgets.disconnect + budgets.tolerance + _STAYS_AWAY)

    # ------------------------------------------------------------ in a session

    async def _meet(self, session: SessionSeen) -> Stage:
        """Connects, talks, and ends the session or is told of its end."""
        seen = self._now()
        role = Role.OFFERER if session.offerer == self._participant.user else Role.ANSWERER
        channel = self._participant.signalling(session)
        if self._scene.persona.is_real(session.id):
            stage = await self._connect(channel, session.id, role, seen)
        else:
            await channel.open()
            stage = await rehearse(channel, role, self._scene.persona.handshake)
            self._report("signal", seen, "" if stage is Stage.CONNECTED else stage.value)
        await self._talk(channel, session.id, role, seen)
        if self._scene.persona.rounds > 1 and not self._gone:
            await self._participant.forget(session.id)
        return stage

    async def _connect(self, channel: SignalChannel, session_id: str, role: Role, seen: float) -> Stage:
        """Makes a real connection, which stands until `close`, and records this side's view of it."""
        recorder, user = self._scene.recorder, self._participant
        network, told = self._settle(session_id)
        call = recorder.begin(user.user, user.device, "connect", Via.RTC, id=session_id, role=role.value, **told)
        self._peer = Peer(role, network, recorder.now, matched=seen)
        await channel.open()
        result = await self._peer.connect(channel, self._scene.persona.handshake)
        end = call.ok if result.connected else call.fail
        end(**result.value())
        self._report("connect", seen, "" if result.connected else result.stage.value)
        await self._peer.settle()
        return result.stage

    def _settle(self, session_id: str) -> tuple[Network, dict[str, Any]]:
        """Where his peer lives in this session, and what the history tells of it."""
        population = self._scene.population
        if population is None or self._nat is None:
            return self._scene.network, {"network": "loopback"}
        self._place = population.place(self._nat, session_id)
        told = {"network": population.lab.name, "nat": self._nat.name, "turn": population.arm(session_id).value}
        return self._place, told

    async def _talk(self, channel: SignalChannel, session_id: str, role: Role, seen: float) -> None:
        """The offerer hangs up when his time is over; the other waits to be told, and hangs up if he is not.

        Either may skip the other before, or vanish; a skip waits until the handshakes of both have had time to end.
        """
        mind = self._intent
        limit = seen + mind.talk if role is Role.OFFERER else self._latest_goodbye(seen)
        if mind.vanish == "talking":
            limit = min(limit, seen + mind.vanish_after)
        elif mind.skip is not None:
            limit = min(limit, self._now() + mind.skip)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, limit - self._now())):
                await channel.ended.wait()
        told = channel.ended.is_set()
        if not told and mind.vanish == "talking":
            await self._vanish()
            await self._stay_away()
            return
        if not told:
            await self._end(session_id)
        meant = told or role is Role.OFFERER or mind.skip is not None
        self._report("talk", seen, "" if meant else "never told of the end")

    async def _end(self, session_id: str) -> None:
        """Skips his partner, or hangs up; who looks back sees first whether the session still stands."""
        if self._intent.skip is not None:
            await self._participant.skip(session_id)
            self._intent = replace(self._intent, think=_AFTER_SKIP)
            return
        if self._scene.persona.looks_back:
            await self._participant.poll()
        await self._participant.end(session_id)

    def _latest_goodbye(self, seen: float) -> float:
        """When the answerer no longer believes in being told: after the longest talk, and not before his handshake."""
        persona = self._scene.persona
        return max(seen + persona.longest_talk, self._now()) + persona.goodbye

    async def _sleep_until(self, due: float) -> None:
        """Never wakes early, as a single sleep may: event loops round, and count from when they last looked."""
        left = due - self._now()
        while left > 0:
            await asyncio.sleep(left)
            left = due - self._now()

    def _now(self) -> float:
        return self._scene.recorder.now()

    def _report(self, name: str, started: float, error: str = "") -> None:
        self._scene.report(Span(name, started, self._now() - started, error))


async def _enter(scene: Scene, seed: int) -> Participant:
    """A participant with an open socket, and with friends where he wants any. Raises as `VirtualUser.enter` does."""
    participant = await Participant.enter(scene.transport, scene.recorder, hears=scene.persona.hears)
    try:
        await participant.connect()
        if scene.mixed:
            scene.recorder.saw(participant.user, participant.device, "plays", Via.SELF, persona=scene.persona.name)
        if scene.persona.friends:
            await scene.circle.welcome(participant, scene.persona.friends, seed)
    except BaseException:
        scene.circle.leave(participant)
        await participant.close()
        raise
    return participant


def _kept_out(scene: Scene, refusal: NotAdmitted) -> None:
    """Records that somebody could not enter: he was refused, or nobody was there."""
    call = scene.recorder.begin("", "", "enter", Via.HTTP)
    if isinstance(refusal, NotReached):
        call.broke(refusal)
    else:
        call.fail(error=str(refusal))


async def _until(wait: Coroutine[Any, Any, SessionSeen | None], stop: asyncio.Event) -> SessionSeen | None:
    """What `wait` brings, or None when `stop` is set before; then `wait` is cancelled."""
    waiting = asyncio.create_task(wait)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else None
    finally:
        for task in (waiting, stopping):
            task.cancel()
        await asyncio.gather(waiting, stopping, return_exceptions=True)
