"""MM-S9: what belongs to members is seen and changed by them alone."""

from __future__ import annotations

from typing import Any

from conformance.outcome import Inconclusive, broken
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.http import NOTHING
from harness.client.dialect import Account, CallBroke, CallRefused
from harness.client.participant import Participant, SessionSeen
from harness.history.op import Via

METHODS = {"select": "GET", "insert": "POST", "update": "PATCH", "delete": "DELETE"}
SAID = "only for you"


@requires("MM-S9")
async def test_mm_s9_members_alone(trial: Trial) -> None:
    """Two talk and a third waits. A stranger, and somebody without a token, try to see, add, change and delete."""
    first, second, waiter, stranger = await trial.crowd(4)
    async with trial.queue():
        session = await trial.pair(first, second)
        await _say(trial, first, session)
        await waiter.join()
        for caller in (stranger.account, None):
            await _try_all(trial, caller, session, waiter)
        await _untouched(trial, first, session)


async def _say(trial: Trial, member: Participant, session: SessionSeen) -> None:
    try:
        await trial.stage.transport.dialect.send(member.account, session.id, SAID)
    except (CallRefused, CallBroke) as error:
        raise Inconclusive(f"a message could not be written ({error})") from error


async def _try_all(trial: Trial, caller: Account | None, session: SessionSeen, waiter: Participant) -> None:
    both = (session.user1, session.user2)
    one, messages, entry = (
        f"chat_sessions?id=eq.{session.id}", f"messages?session_id=eq.{session.id}",
        f"waiting_queue?user_id=eq.{waiter.user}",
    )  # fmt: skip
    forged = {"session_id": session.id, "sender_id": session.user1, "type": "text", "content": "forged"}
    await _probe(trial, caller, "select", one, both)
    await _probe(trial, caller, "update", one, both, {"status": "ended"})
    await _probe(trial, caller, "delete", one, both)
    await _probe(trial, caller, "select", messages, both)
    await _probe(trial, caller, "insert", "messages", both, forged)
    await _probe(trial, caller, "update", messages, both, {"content": "changed"})
    await _probe(trial, caller, "delete", messages, both)
    await _probe(trial, caller, "select", entry, (waiter.user,))
    await _probe(trial, caller, "update", entry, (waiter.user,), {"match_mode": "buddies_first"})
    await _probe(trial, caller, "delete", entry, (waiter.user,))


async def _probe(
    trial: Trial, caller: Account | None, action: str, path: str, members: tuple[str, ...], body: Any = NOTHING
) -> None:
    """One attempt; how many rows were shown or changed stands in the history."""
    user = caller.user if caller is not None else ""
    table = path.partition("?")[0]
    call = trial.recorder().begin(user, "d1", "probe", Via.HTTP, table=table, action=action, members=list(members))
    prefer = None if action == "select" else "return=representation"
    reply = await trial.http.rest(METHODS[action], path, caller, body=body, prefer=prefer)
    shown = reply.json
    call.answered(reply.status, rows=len(shown) if reply.status < 300 and isinstance(shown, list) else 0)


async def _untouched(trial: Trial, member: Participant, session: SessionSeen) -> None:
    """A change that was not admitted to its author shows here: the session goes on, and its one message stands."""
    seen = await member.look(session.id)
    said = await trial.stage.transport.dialect.messages(member.account, session.id)
    contents = [message.content for message in said]
    if seen is None or not seen.active or contents != [SAID]:
        raise broken(
            "MM-S9",
            sent="a stranger, and somebody without a token, tried to change a session and its messages",
            came=f"the session is {'active' if seen is not None and seen.active else 'over'}, its messages {contents}",
            users=(session.user1, session.user2),
            sessions=(session.id,),
            witness=[op for op in trial.ops if op.op in {"probe", "look"}],
        )
