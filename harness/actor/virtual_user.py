"""A user who plays a persona: he searches, is matched, connects, talks and leaves, as the document's client does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from harness.actor.journey import Journey, Span
from harness.actor.rehearsal import rehearse
from harness.actor.scene import Scene
from harness.client.dialect import NotReached
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
_TRIES = 3
"""How often a user knocks, and how often he asks for a partner, while nobody answers."""


class VirtualUser:
    """One journey of one user. Make it with `enter`, before he is due; `close` it in the end.

    Args:
        participant: signed in, with his socket open.
        scene: what he shares with the others.
        seed: decides how long he talks.
        nat: what he lives behind, where the scene has a population.
    """

    def __init__(self, participant: Participant, scene: Scene, seed: int, nat: NatKind | None = None) -> None:
        self._participant = participant
        self._scene = scene
        self._talk_time = scene.persona.talk_time(seed)
        self._nat = nat
        self._peer: Peer | None = None
        self._place: Place | None = None

    @classmethod
    async def enter(cls, scene: Scene, seed: int, nat: NatKind | None = None) -> VirtualUser:
        """Signs a user up (or in) and opens his socket; where nobody answers he comes again a moment later.

        Raises:
            NotAdmitted: this user could not enter.
            Trouble: nobody can.
        """
        for tried in range(1, _TRIES):
            with suppress(NotReached):
                return cls(await _enter(scene), scene, seed, nat)
            await asyncio.sleep(rejoin_delay(tried))
        return cls(await _enter(scene), scene, seed, nat)

    async def close(self) -> None:
        """Closes his connection, his place and his socket. May be called twice."""
        peer, self._peer = self._peer, None
        place, self._place = self._place, None
        try:
            if peer is not None:
                await peer.close()
        finally:
            if place is not None:
                place.close()
            await self._participant.close()

    async def play(self, due: float, joined: Callable[[], None]) -> Journey:
        """Plays the journey, from the join to the end of the session or of his patience.

        Args:
            due: when he arrives, in seconds of the recorder's clock; a start later than that is kept in the history.
            joined: is called as soon as his join is answered, whatever the answer.
        """
        await self._sleep_until(due)
        late = max(0.0, self._now() - due)
        with self._scene.quiet.waiting():
            try:
                reply = await self._join(due)
            finally:
                joined()
            if outcome_of_status(reply.status) is Outcome.FAIL:
                return Journey(self._participant.user, joined=False, late=late)
            session = await self._search(due)
        if session is None:
            await self._give_up()
            return Journey(self._participant.user, joined=True, late=late)
        stage = await self._meet(session)
        return Journey(self._participant.user, joined=True, late=late, session=session.id, stage=stage)

    # ------------------------------------------------------------ searching

    async def _join(self, due: float) -> JoinReply:
        """Joins. A client tries once (document, section 8); a person who has no answer and no match tries again."""
        reply = await self._join_once(due)
        for tried in range(1, _TRIES):
            if outcome_of_status(reply.status) is not Outcome.INFO or await self._participant.poll() is not None:
                break
            await asyncio.sleep(rejoin_delay(tried))
            reply = await self._join_once(self._now())
        return reply

    async def _join_once(self, due: float) -> JoinReply:
        reply = await self._participant.join(self._scene.persona.mode, due=due)
        self._report("join", due, "" if reply.ok else f"answered {reply.status}" if reply.status else "no answer")
        return reply

    async def _search(self, due: float) -> SessionSeen | None:
        """Waits for a match until his patience ends, or the quiet time does; then he looks one last time."""
        await self._participant.subscribe_matches()
        patience = self._scene.persona.patience
        wait = self._participant.next_match(_A_DAY if patience is None else patience)
        session = await _until(wait, self._scene.quiet.closing)
        if session is None:
            session = await self._participant.poll()
        self._report("match", due, "" if session else "nobody came")
        return session

    async def _give_up(self) -> None:
        """Leaves the queue; who waited into the quiet time does so when it is over, for the drain must stay quiet."""
        if self._scene.quiet.closing.is_set():
            await self._scene.quiet.over.wait()
        await self._participant.leave()

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
        """The offerer hangs up when his time is over; the other waits to be told, and hangs up if he is not."""
        limit = seen + self._talk_time if role is Role.OFFERER else self._latest_goodbye(seen)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, limit - self._now())):
                await channel.ended.wait()
        told = channel.ended.is_set()
        if not told:
            await self._participant.end(session_id)
        self._report("talk", seen, "" if told or role is Role.OFFERER else "never told of the end")

    def _latest_goodbye(self, seen: float) -> float:
        """When the answerer no longer believes in being told: after the longest talk, and not before his handshake."""
        persona = self._scene.persona
        return max(seen + persona.talk[1], self._now()) + persona.goodbye

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


async def _enter(scene: Scene) -> Participant:
    """A participant with an open socket. Raises as `VirtualUser.enter` does."""
    participant = await Participant.enter(scene.transport, scene.recorder, hears=scene.persona.hears)
    try:
        await participant.connect()
    except BaseException:
        await participant.close()
        raise
    return participant


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
