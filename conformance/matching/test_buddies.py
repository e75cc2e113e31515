"""MM-S11: who asks for buddies first is given one who waits, and else anybody."""

from __future__ import annotations

from conformance.outcome import Inconclusive, broken
from conformance.scenario import requires
from conformance.trial import Trial
from harness.checkers.telling import short
from harness.client.participant import Participant
from harness.history.op import Via

ROUNDS = 4
"""Of a buddy and a stranger who wait at once: a target may pair those two by chance just before the third comes."""
MODE = "buddies_first"


@requires("MM-S11")
async def test_mm_s11_buddies_first(trial: Trial) -> None:
    """A stranger waits, then a buddy too; who asks for buddies first meets the buddy. Where none waits, he is matched.

    Two who join are matched with each other at once. So stranger and buddy write their own entries, which the
    document's policies let them do, and which start no search.
    """
    seeker, buddy, stranger = await trial.crowd(3)
    await _befriend(trial, seeker, buddy)
    undecided = 0
    async with trial.queue():
        for _ in range(ROUNDS):
            met = await _round(trial, seeker, buddy, stranger)
            await trial.retire([seeker, buddy, stranger])
            if met:
                break
            undecided += met is None
        else:
            if undecided:
                raise Inconclusive("stranger and buddy were matched with each other before anybody asked for a buddy")
            raise _passed_over(trial, seeker, buddy, stranger)
        await _falls_back(trial, seeker, stranger)


async def _befriend(trial: Trial, seeker: Participant, buddy: Participant) -> None:
    """One asks, the other accepts."""
    row = {"requester_id": seeker.user, "receiver_id": buddy.user, "status": "pending"}
    asked = await trial.http.rest("POST", "study_connections", seeker.account, body=row, prefer="return=representation")
    if asked.status != 201:
        raise Inconclusive(f"nobody can be asked for his friendship ({asked.described})")
    path = f"study_connections?id=eq.{asked.rows[0]['id']}"
    accepted = {"status": "accepted"}
    answer = await trial.http.rest("PATCH", path, buddy.account, body=accepted, prefer="return=representation")
    if not answer.rows:
        raise Inconclusive(f"a friendship cannot be accepted ({answer.described})")
    trial.recorder().saw(seeker.user, seeker.device, "befriend", Via.HTTP, buddy=buddy.user)


async def _round(trial: Trial, seeker: Participant, buddy: Participant, stranger: Participant) -> bool | None:
    """Whether the seeker met his buddy; None where buddy and stranger had met before he joined."""
    for waiter in (stranger, buddy):
        await _enter_queue(trial, waiter)
    if await buddy.poll() is not None:
        return None
    await seeker.join(MODE)
    seen = await trial.observe([seeker, buddy], trial.patience)
    return seeker.user in seen and buddy.user in {seen[seeker.user].user1, seen[seeker.user].user2}


async def _enter_queue(trial: Trial, person: Participant) -> None:
    row = {"user_id": person.user, "match_mode": "global"}
    reply = await trial.http.rest("POST", "waiting_queue", person.account, body=row)
    if reply.status != 201:
        raise Inconclusive(f"a user cannot write his own queue entry ({reply.described})")


def _passed_over(trial: Trial, seeker: Participant, buddy: Participant, stranger: Participant) -> Exception:
    return broken(
        "MM-S11",
        sent=f"a stranger ({short(stranger.user)}) and then a buddy ({short(buddy.user)}) of user {short(seeker.user)} "
        "stood in the queue when he joined and asked for buddies first",
        came=f"he did not meet his buddy, {ROUNDS} times of {ROUNDS}",
        users=(seeker.user, buddy.user, stranger.user),
        witness=[op for op in trial.ops if op.op in {"befriend", "join"} or op.value.get("session")],
    )


async def _falls_back(trial: Trial, seeker: Participant, stranger: Participant) -> None:
    """With no buddy there, the stranger is as good."""
    await stranger.join()
    await seeker.join(MODE)
    seen = await trial.observe([seeker, stranger], trial.patience)
    if seeker.user not in seen:
        raise broken(
            "MM-S11",
            sent=f"user {short(seeker.user)} asked for buddies first while none of them waited, and a stranger did",
            came=f"he was matched with nobody within {trial.patience:.1f} s",
            users=(seeker.user, stranger.user),
            witness=[op for op in trial.ops if op.op in {"join", "poll"}],
        )
    trial.vouch()
