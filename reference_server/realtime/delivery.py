"""From a batch of changes to each channel's frames: whom to ask for, and what to send to those who may see; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import orjson

from reference_server.realtime.connection import Channel
from reference_server.realtime.frames import Version, encode_change
from reference_server.realtime.identity import Identity
from reference_server.realtime.subscriptions import SubscriptionIndex
from reference_server.realtime.tables import Change, Table

Seen = set[tuple[int, int]]
"""(subscriber, place) of each row that its subscriber sees; both count from 1, as in `gurukul.realtime_visible`."""


@dataclass(slots=True)
class Question:
    """Which of these rows of one table does one subscriber see? Keys are in the order of their places."""

    identity: Identity
    table: Table
    places: dict[str, int] = field(default_factory=dict)

    def place(self, key: str) -> int:
        """The place of a key, from 1; the same for the same key."""
        return self.places.setdefault(key, len(self.places) + 1)


@dataclass(slots=True)
class Candidate:
    """A change and a channel that it may concern; `asks` is the question's number and the place in it, if any."""

    change: Change
    channel: Channel
    ids: tuple[int, ...]
    asks: tuple[int, int] | None


@dataclass(slots=True)
class Plan:
    """What must be asked before a batch of changes can be told, and the candidates in the order of their changes."""

    questions: list[Question]
    candidates: list[Candidate]

    def arguments(self) -> tuple[list[int], list[str], list[str], list[str], list[str]]:
        """The arguments of `gurukul.realtime_visible`."""
        asked = self.questions
        return (
            sorted({candidate.change.xid for candidate in self.candidates if candidate.asks}),
            [question.identity.claims.role for question in asked],
            [question.identity.claims_json for question in asked],
            [question.table.visibility for question in asked],
            [orjson.dumps(list(question.places)).decode() for question in asked],
        )

    def frames(self, seen: Seen) -> Iterator[tuple[Channel, str]]:
        """The frames for those who see their rows, in commit order; equal frames are encoded once."""
        encoded: dict[tuple[Change, Version, str, tuple[int, ...]], str] = {}
        for candidate in self.candidates:
            channel = candidate.channel
            if not channel.open or (candidate.asks is not None and candidate.asks not in seen):
                continue
            key = (candidate.change, channel.version, channel.topic, candidate.ids)
            frame = encoded.get(key)
            if frame is None:
                data = candidate.change.data()
                frame = encoded[key] = encode_change(channel.version, channel.topic, candidate.ids, data)
            yield channel, frame


def plan(changes: Iterable[Change], index: SubscriptionIndex[Channel]) -> Plan:
    """Finds the channels that a batch of changes may concern, and what each must be asked for.

    Everybody who passes the filters is asked for, except for a DELETE: the row is gone, so nobody can be asked, and
    everybody who passes is told (PROTOCOL 1.5, RLS semantics 3). A table without primary key cannot be asked for.
    """
    questions: dict[tuple[Identity, int], tuple[int, Question]] = {}
    candidates: list[Candidate] = []
    for change in changes:
        for channel, ids in index.interested(change).items():
            asks: tuple[int, int] | None = None
            if change.kind != "DELETE":
                if not change.table.key:
                    continue
                which = (channel.identity, change.table.relation.oid)
                if which not in questions:
                    questions[which] = (len(questions) + 1, Question(channel.identity, change.table))
                number, question = questions[which]
                asks = (number, question.place(change.table.key_text(change.row)))
            candidates.append(Candidate(change, channel, tuple(ids), asks))
    return Plan([question for _number, question in questions.values()], candidates)
