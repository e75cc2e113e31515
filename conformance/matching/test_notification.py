"""MM-L1: both users of a match are told, each by push and each by poll."""

from __future__ import annotations

import asyncio

from conformance.outcome import Inconclusive, broken
from conformance.scenario import requires
from conformance.trial import Trial
from harness.checkers.telling import short
from harness.client.participant import Participant, SessionSeen

PAIRS = 3


@requires("MM-L1")
async def test_mm_l1_both_are_told(trial: Trial) -> None:
    """Two users, both subscribed beforehand, are matched: the target pushes the session to each, and shows it to the
    poll of each.
    """
    people = await trial.crowd(2 * PAIRS)
    await asyncio.gather(*(_listen(trial, person) for person in people))
    async with trial.queue():
        sessions = [await trial.pair(first, second) for first, second in zip(people[::2], people[1::2], strict=True)]
        for person, session in zip(people, [session for session in sessions for _ in range(2)], strict=True):
            await _told_by_push(trial, person, session)
        await asyncio.sleep(trial.budgets.notify)
        await trial.observe(people, 0.0)


async def _listen(trial: Trial, person: Participant) -> None:
    """Subscribes, and waits until the subscription stands: what is pushed before that may be lost lawfully."""
    await trial.listen(person)
    if not trial.target.capabilities.push:
        return
    patience = 3 * trial.budgets.notify + trial.budgets.tolerance
    stands = await trial.happened(
        lambda op: op.user == person.user and op.op == "subscribe" and op.value.get("ready") is not None, patience
    )
    if not stands:
        raise Inconclusive(f"a subscription to new sessions did not stand within {patience:.1f} s")


async def _told_by_push(trial: Trial, person: Participant, session: SessionSeen) -> None:
    if not trial.target.capabilities.push:
        return
    patience = trial.budgets.notify + trial.budgets.tolerance
    told = await trial.happened(
        lambda op: op.user == person.user and op.op == "push" and op.value["session"]["id"] == session.id, patience
    )
    if not told:
        raise broken(
            "MM-L1",
            sent=f"users {short(session.user1)} and {short(session.user2)} subscribed to new sessions, then joined",
            came=f"both saw session {short(session.id)} by poll, and no push came to {short(person.user)} "
            f"within {patience:.1f} s of that",
            users=(session.user1, session.user2),
            sessions=(session.id,),
            witness=[op for op in trial.ops if op.user == person.user and op.op in {"subscribe", "join", "poll"}],
        )
