"""Two users in a session, both listening to it, of whom one will go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from conformance.outcome import Breach, Inconclusive, NotOffered, broken
from conformance.trial import Trial
from harness.checkers.telling import short
from harness.client.participant import Participant, SessionSeen
from harness.client.signalling import READY_PATIENCE, SignalChannel
from harness.history.op import Op, Outcome


@dataclass(frozen=True, slots=True)
class Call:
    """A session, who stays in it, and who goes."""

    session: SessionSeen
    stays: Participant
    goes: Participant

    @property
    def channel(self) -> SignalChannel:
        """Where the one who stays is told."""
        return self.stays.signalling(self.session)


async def calls(trial: Trial, count: int = 1) -> list[Call]:
    """So many pairs in sessions of their own, whose members all listen; the queue is free again.

    Raises:
        NotOffered: the target has no sockets whose loss it could notice.
        Inconclusive: the target does not bring them together, or ends a session whose members are both there.
    """
    if not trial.target.capabilities.push:
        raise NotOffered("without push a user has no socket whose loss the target could notice")
    people = await trial.crowd(2 * count)
    await asyncio.gather(*(person.connect() for person in people))
    pairs = list(zip(people[::2], people[1::2], strict=True))
    async with trial.queue(keep_sessions=True):
        made = [Call(await trial.pair(stays, goes), stays, goes) for stays, goes in pairs]
    await asyncio.gather(*(_listens(trial, call, one) for call in made for one in (call.stays, call.goes)))
    if any(call.channel.ended.is_set() for call in made):
        raise Inconclusive("a session was over although both its members were there")
    return made


async def _listens(trial: Trial, call: Call, member: Participant) -> None:
    """Returns when the member's channel stands and has looked once: what he is told from now on, he is told by push.

    Raises:
        Inconclusive: it never does.
    """
    await member.signalling(call.session).open()

    def looked(op: Op) -> bool:
        return op.user == member.user and op.op == "fetch" and op.outcome is Outcome.OK

    if not await trial.happened(looked, READY_PATIENCE + trial.patience):
        raise Inconclusive("a member's subscription to his session never stood")


async def told(call: Call, patience: float) -> bool:
    """Whether the one who stays is told of the session's end within so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            await call.channel.ended.wait()
    return call.channel.ended.is_set()


def breach(trial: Trial, call: Call, *, sent: str, came: str, witness: Sequence[Op] = ()) -> Breach:
    """The trial's requirement is broken in this call; by default all that its members saw and did shows it."""
    users = (call.stays.user, call.goes.user)
    kinds = {"disconnect", "back", "end", "told", "look", "subscribe", "signal_send", "signal_recv"}
    return broken(
        trial.requirement.id,
        sent=f"user {short(call.goes.user)} {sent} in session {short(call.session.id)}",
        came=came,
        users=users,
        sessions=(call.session.id,),
        witness=witness or [op for op in trial.ops if op.user in users and op.op in kinds],
    )
