"""SG-S4: of the two members of a session exactly one offers."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from conformance.outcome import NotOffered
from conformance.scenario import requires
from conformance.trial import SETTLE, Trial
from harness.client.participant import Participant, SessionSeen
from harness.client.signalling import SignalChannel
from harness.history.op import Via

PAIRS = 3


@requires("SG-S4")
async def test_sg_s4_exactly_one_offerer(trial: Trial) -> None:
    """Each member acts on what he himself was told first of his match: one of the two offers, the other answers."""
    if not trial.target.capabilities.push:
        raise NotOffered("without push nobody can hear an offer")
    people = await trial.crowd(2 * PAIRS)
    await asyncio.gather(*(person.connect() for person in people))
    for first, second in zip(people[::2], people[1::2], strict=True):
        async with trial.queue():
            await first.join()
            await trial.observe([first], SETTLE)
            told = (await second.join()).session
            seen = await trial.observe([first, second], trial.patience)
            mine, his = seen.get(first.user), told or seen.get(second.user)
            if mine is not None and his is not None and mine.id == his.id:
                await asyncio.gather(_take_part(trial, first, mine), _take_part(trial, second, his))


async def _take_part(trial: Trial, person: Participant, session: SessionSeen) -> None:
    """Offers where he was named (the document: user1 offers), and answers an offer; he notes whether he succeeded."""
    role = "offerer" if (session.offerer or session.user1) == person.user else "answerer"
    call = trial.recorder().begin(person.user, person.device, "connect", Via.SELF, id=session.id, role=role)
    channel = person.signalling(session)
    await channel.open()
    answered = False
    with suppress(TimeoutError):
        answered = await _handshake(channel, role, trial.patience + trial.budgets.notify)
    if answered:
        call.ok(stage="signalled")
    else:
        call.fail(stage="signalling")


async def _handshake(channel: SignalChannel, role: str, patience: float) -> bool:
    """Whether the part was played to its end. Raises TimeoutError where nothing came."""
    if role == "offerer":
        await channel.send("offer", offer={"type": "offer", "sdp": "v=0"})
        return (await channel.receive(patience)).kind == "answer"
    if (await channel.receive(patience)).kind != "offer":
        return False
    return await channel.send("answer", answer={"type": "answer", "sdp": "v=0"})
