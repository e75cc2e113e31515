"""MM-S8 and MM-L8: an ended session stays ended, and every session ends."""

from __future__ import annotations

import asyncio

from conformance.outcome import Inconclusive, NotVerified, broken
from conformance.scenario import requires
from conformance.trial import CADENCE, SETTLE, Trial
from harness.checkers.telling import short
from harness.client.participant import Participant, SessionSeen

LOOKS = 3
LONGEST = 60.0
"""Seconds that a session's greatest age may last to be waited for."""


@requires("MM-S8")
async def test_mm_s8_over_is_over(trial: Trial) -> None:
    """Two sessions end: one is hung up, one is abandoned by a member who joins anew. Neither comes back.

    Their members look for a match, join again, and ask for the old session by its id.
    """
    first, second, third, fourth = await trial.crowd(4)
    async with trial.queue():
        hung_up = await trial.pair(first, second)
        await first.end(hung_up.id)
        await trial.observe([first, second], SETTLE)
        await trial.pair(second, first)
        abandoned = await trial.pair(third, fourth)
        await third.join()
        await trial.observe([third], trial.patience)
        await fourth.join()
        for _ in range(LOOKS):
            await trial.observe([first, second, third, fourth], SETTLE)
        for person, session in ((first, hung_up), (second, hung_up), (third, abandoned), (fourth, abandoned)):
            await person.look(session.id)


@requires("MM-L8")
async def test_mm_l8_a_session_ends_by_itself(trial: Trial) -> None:
    """Two meet and stay. When the session is too old (by its row, where the database is given), it ends.

    Its end may be some job's work, which has as long as an entry in the queue may live.
    """
    oldest, rows = trial.budgets.session_max_age, trial.stage.rows
    if rows is None and oldest > LONGEST:
        raise NotVerified(f"a session may last {oldest:g} s: give database_url, so that one can be aged")
    first, second = await trial.crowd(2)
    async with trial.queue(keep_sessions=True):
        session = await trial.pair(first, second)
        if rows is not None and not await rows.age_session(session.id, oldest + trial.budgets.tolerance):
            raise Inconclusive("the row of an active session was not found in the database")
    if rows is None:
        await asyncio.sleep(oldest + trial.budgets.tolerance)
    if not await _ends(trial, first, session):
        raise broken(
            "MM-L8",
            sent=f"session {short(session.id)} became older than {oldest:g} s",
            came=f"{trial.budgets.queue_ttl:g} s later it was still active",
            users=(first.user, second.user),
            sessions=(session.id,),
            witness=[op for op in trial.ops if op.op in {"join", "poll", "look"}],
        )
    trial.vouch()


async def _ends(trial: Trial, member: Participant, session: SessionSeen) -> bool:
    """Whether the member sees the session's end in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + trial.budgets.queue_ttl
    while loop.time() < deadline:
        seen = await member.look(session.id)
        if seen is not None and not seen.active:
            return True
        await asyncio.sleep(CADENCE)
    return False
