"""A room: two users in a session of their own, who write messages that only they may read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.outcome import Inconclusive
from conformance.trial import Trial
from conformance.wire.realtime import Binding
from harness.client.dialect import CallBroke, CallRefused
from harness.client.participant import Participant, SessionSeen


@dataclass(frozen=True, slots=True)
class Room:
    """Two users and the session that they are in."""

    trial: Trial
    first: Participant
    second: Participant
    session: SessionSeen

    def binding(self, event: str = "INSERT") -> Binding:
        """What a client in the session asks for: its messages (PROTOCOL 4)."""
        return {"event": event, "schema": "public", "table": "messages", "filter": f"session_id=eq.{self.session.id}"}

    async def write(self, text: str, sender: Participant | None = None) -> None:
        """A member, the first by default, writes a message. Raises Inconclusive where the target refuses it."""
        account = (sender or self.first).account
        try:
            await self.trial.stage.transport.dialect.send(account, self.session.id, text)
        except (CallRefused, CallBroke) as error:
            raise Inconclusive(f"a message could not be written ({error})") from error


def said(content: str) -> Callable[[dict[str, Any]], bool]:
    """Whether a change is the message with this content."""
    return lambda data: data.get("record", {}).get("content") == content


async def room(trial: Trial) -> Room:
    """Two new users, brought together. Raises Inconclusive where they do not meet."""
    first, second = await trial.crowd(2)
    async with trial.queue(keep_sessions=True):
        return Room(trial, first, second, await trial.pair(first, second))
