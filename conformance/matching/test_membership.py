"""MM-S3: a session is about two users, always the same, and only they ever see it."""

from __future__ import annotations

from conformance.outcome import broken
from conformance.scenario import requires
from conformance.trial import Trial
from harness.checkers.telling import short
from harness.client.participant import Participant, SessionSeen
from harness.history.op import Op, Via

LOOKS = 3


@requires("MM-S3")
async def test_mm_s3_the_same_two_users_and_nobody_else(trial: Trial) -> None:
    """Two users meet and signal; both see the same two names. A stranger asks for the session by its id, subscribes
    to it and looks for a match of his own: he sees nothing at all.
    """
    first, second, stranger = await trial.crowd(3)
    for person in (first, second, stranger):
        await trial.listen(person)
    async with trial.queue():
        session = await trial.pair(first, second)
        await _eavesdrop(trial, stranger, session)
        await _signal(trial, first, session)
        for _ in range(LOOKS):
            await _peek(trial, stranger, session)
            await trial.observe([first, second], 0.0)
            await stranger.poll()
        await second.end(session.id)
        await _peek(trial, stranger, session)
    heard = [op for op in trial.ops if op.user == stranger.user and _leaks(op)]
    if heard:
        ways = ", ".join(sorted({op.op for op in heard}))
        raise broken(
            "MM-S3",
            sent=f"users {short(first.user)} and {short(second.user)} met, signalled and parted",
            came=f"user {short(stranger.user)}, who was no member, was told of it ({ways})",
            users=(first.user, second.user, stranger.user),
            sessions=(session.id,),
            witness=heard,
        )


async def _signal(trial: Trial, member: Participant, session: SessionSeen) -> None:
    """A member makes an offer, of which a stranger must not hear."""
    if trial.target.capabilities.push:
        channel = member.signalling(session)
        await channel.open()
        await channel.send("offer", offer={"type": "offer", "sdp": "v=0"})


async def _eavesdrop(trial: Trial, stranger: Participant, session: SessionSeen) -> None:
    """The stranger subscribes to the session's messages and changes, as its members do."""
    if not trial.target.capabilities.push:
        return
    await stranger.signalling(session).open()
    await trial.happened(lambda op: _stands(op, stranger, session), trial.budgets.notify + trial.budgets.tolerance)


async def _peek(trial: Trial, stranger: Participant, session: SessionSeen) -> None:
    """The stranger asks for the session by its id; what he is shown stands in the history as his poll."""
    call = trial.recorder().begin(stranger.user, stranger.device, "poll", Via.POLL, asked=session.id)
    seen = await trial.stage.transport.dialect.session(stranger.account, session.id)
    call.ok(session=seen.value() if seen is not None else None)


def _stands(op: Op, person: Participant, session: SessionSeen) -> bool:
    return op.user == person.user and op.op == "subscribe" and op.value.get("topic") == f"session:{session.id}"


def _leaks(op: Op) -> bool:
    return op.op in {"signal_recv", "told", "push"} or bool(op.value.get("session"))
