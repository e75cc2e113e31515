"""MM-L5: a partner who vanishes is noticed, and both can go on."""

from __future__ import annotations

import asyncio

from conformance.outcome import Breach, Inconclusive, NotOffered, broken
from conformance.scenario import requires
from conformance.trial import CADENCE, Trial
from harness.checkers.telling import short
from harness.client.participant import Participant, SessionSeen


@requires("MM-L5")
async def test_mm_l5_a_vanished_partner_is_noticed(trial: Trial) -> None:
    """In two sessions one member vanishes: one closes the tab, one is cut off and leaves his connection half-open.

    The partners are told in time, the sessions are over, and all four can join again at once.
    """
    if not trial.target.capabilities.push:
        raise NotOffered("without push a user has no socket whose loss the target could notice")
    stays, closes, waits, freezes = people = await trial.crowd(4)
    for person in people:
        await person.connect()
    async with trial.queue(keep_sessions=True):
        sessions = [await trial.pair(stays, closes), await trial.pair(waits, freezes)]
    for person, session in zip(people, (sessions[0], sessions[0], sessions[1], sessions[1]), strict=True):
        await person.signalling(session).open()
    # From here on our users only wait to be told: the queue may serve another test meanwhile.
    await trial.vanish(closes, "close")
    await trial.vanish(freezes, "silent")
    await asyncio.gather(
        _noticed(trial, stays, closes, sessions[0], "close"), _noticed(trial, waits, freezes, sessions[1], "silent")
    )
    await asyncio.gather(trial.back(closes), trial.back(freezes))
    async with trial.queue(keep_sessions=True):
        await _join_again(trial, stays, closes)
        await _join_again(trial, waits, freezes)
    trial.vouch()


async def _noticed(trial: Trial, stays: Participant, gone: Participant, session: SessionSeen, kind: str) -> None:
    """Polls until the session is over; it must be so in time, and a target with push must have said it too."""
    loop = asyncio.get_running_loop()
    patience = trial.budgets.disconnect + trial.budgets.tolerance
    deadline = loop.time() + patience
    channel = stays.signalling(session)
    over = False
    while not (over and channel.ended.is_set()):
        if loop.time() >= deadline:
            raise _unnoticed(
                trial, stays, gone, session, kind, "over by poll, but not told by push" if over else "active"
            )
        seen = await stays.poll()
        over = seen is None or seen.id != session.id
        await asyncio.sleep(CADENCE)


def _unnoticed(
    trial: Trial, stays: Participant, gone: Participant, session: SessionSeen, kind: str, state: str
) -> Breach:
    patience = trial.budgets.disconnect + trial.budgets.tolerance
    mine = [op for op in trial.ops if op.user == stays.user and op.op == "poll" and op.value.get("session")]
    vanished = [op for op in trial.ops if op.user == gone.user and op.op == "disconnect"]
    return broken(
        "MM-L5",
        sent=f"user {short(gone.user)} vanished ({kind}) out of session {short(session.id)}",
        came=f"after {patience:.1f} s the session of {short(stays.user)} was still {state}",
        users=(stays.user, gone.user),
        sessions=(session.id,),
        witness=[*mine[:1], *vanished, *mine[-1:]],
    )


async def _join_again(trial: Trial, stays: Participant, gone: Participant) -> None:
    try:
        await trial.pair(stays, gone)
    except Inconclusive as reason:
        raise broken(
            "MM-L5",
            sent=f"users {short(stays.user)} and {short(gone.user)}, who had vanished and came back, joined again",
            came=str(reason),
            users=(stays.user, gone.user),
            witness=[op for op in trial.ops if op.user in {stays.user, gone.user} and op.op == "join"],
        ) from None
