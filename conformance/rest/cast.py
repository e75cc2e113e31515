"""The people of the REST tests: two in a session, one who was in an earlier one with one of them, and a stranger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conformance.trial import Trial
from harness.client.dialect import Account
from harness.client.participant import Participant

CORPUS = (
    ("alpha", "a.txt", False),
    ("Beta", None, False),
    ("gamma, (delta)", "g.txt", True),
    ("a 100% *star*", None, False),
)
"""The messages that are searched: content, file_name, is_flagged; their file_url is `corpus`."""


@dataclass(frozen=True, slots=True)
class Cast:
    """`member` and `partner` are in the active `session`; `former` was with `member` in `over`, which has ended.

    `messages` are the rows of the corpus in `session`, in the order of CORPUS; `note` is a message in `over`.
    """

    member: Account
    partner: Account
    former: Account
    stranger: Account
    session: str
    over: str
    messages: tuple[dict[str, Any], ...]
    note: str


async def the_cast(trial: Trial) -> Cast:
    """The people, brought together once for the whole run.

    Raises:
        Inconclusive: the target does not bring them together.
    """
    return await trial.once("cast", lambda: _gathered(trial))


async def _gathered(trial: Trial) -> Cast:
    member, partner, former, stranger = [
        await _person(trial, name) for name in ("member", "partner", "former", "stranger")
    ]
    async with trial.queue(keep_sessions=True):
        over = await trial.pair(former, member)
        note = await _written(trial, former.account, over.id, "goodbye", None, flagged=False)
        await former.end(over.id)
        session = await trial.pair(partner, member)
    rows = [await _written(trial, member.account, session.id, text, name, flagged=bad) for text, name, bad in CORPUS]
    return Cast(
        member.account, partner.account, former.account, stranger.account,
        session.id, over.id, tuple(rows), str(note["id"]),
    )  # fmt: skip


async def _person(trial: Trial, name: str) -> Participant:
    return Participant(trial.stage.transport, trial.recorder(), await trial.shared(name), "d1")


async def _written(
    trial: Trial, sender: Account, session: str, content: str, name: str | None, *, flagged: bool
) -> dict[str, Any]:
    row = message(session, sender.user, content, file_url="corpus", file_name=name, is_flagged=flagged)
    reply = await trial.http.rest("POST", "messages?select=*", sender, body=row, prefer="return=representation")
    return reply.expect(201).rows[0]


def message(session: str, sender: str, content: str, **more: Any) -> dict[str, Any]:
    """A row of `messages`."""
    return {"session_id": session, "sender_id": sender, "type": "text", "content": content, **more}
