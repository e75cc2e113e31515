"""From a batch of changes to each channel's frames: whom to ask for, and what to send to those who may see; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import orjson

from reference_server.db import Record
from reference_server.realtime.connection import Channel
from reference_server.realtime.frames import Version, encode_change
from reference_server.realtime.identity import Identity
from reference_server.realtime.subscriptions import SubscriptionIndex
from reference_server.realtime.tables import Change, Table

Seen = set[tuple[int, str, int, int]]
"""(table, role, subscriber, place) of each row that its subscriber sees, numbered as in its inquiry."""


@dataclass(slots=True)
class Question:
    """One subscriber of an inquiry and the keys that he is asked for. He and they are numbered from 1."""

    number: int
    identity: Identity
    places: dict[str, int] = field(default_factory=dict)

    def place(self, key: str) -> int:
        """The place of a key; the same for the same key."""
        return self.places.setdefault(key, len(self.places) + 1)


@dataclass(slots=True)
class Inquiry:
    """Which rows of one table do these subscribers of one role see? Asked in one round trip."""

    table: Table
    role: str
    questions: dict[Identity, Question] = field(default_factory=dict)

    def question(self, identity: Identity) -> Question:
        """The subscriber's question; the same for the same subscriber."""
        found = self.questions.get(identity)
        if found is None:
            found = self.questions[identity] = Question(len(self.questions) + 1, identity)
        return found

    def arguments(self, xids: list[int]) -> tuple[list[int], str, list[str], list[str]]:
        """The arguments of the table's visibility query (`gurukul.realtime_prepare`)."""
        asked = self.questions.values()
        return (
            xids,
            self.role,
            [question.identity.claims_json for question in asked],
            [orjson.dumps(list(question.places)).decode() for question in asked],
        )

    def seen(self, answers: Iterable[Record]) -> Iterator[tuple[int, str, int, int]]:
        """What the answers of that query say."""
        return ((self.table.relation.oid, self.role, answer[0], answer[1]) for answer in answers)


@dataclass(slots=True)
class Candidate:
    """A change and a channel that it may concern; `asks` is what must be seen, None where nobody is asked."""

    change: Change
    channel: Channel
    ids: tuple[int, ...]
    asks: tuple[int, str, int, int] | None


@dataclass(slots=True)
class Plan:
    """What must be asked before a batch of changes can be told, and the candidates in the order of their changes."""

    inquiries: list[Inquiry]
    candidates: list[Candidate]

    @property
    def xids(self) -> list[int]:
        """The transactions that must be over before anything is asked."""
        return sorted({candidate.change.xid for candidate in self.candidates if candidate.asks})

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
    inquiries: dict[tuple[int, str], Inquiry] = {}
    candidates: list[Candidate] = []
    for change in changes:
        table = change.table
        for channel, ids in index.interested(change).items():
            asks: tuple[int, str, int, int] | None = None
            if change.kind != "DELETE":
                if not table.key:
                    continue
                which = (table.relation.oid, channel.identity.claims.role)
                inquiry = inquiries.setdefault(which, Inquiry(table, which[1]))
                question = inquiry.question(channel.identity)
                asks = (*which, question.number, question.place(table.key_text(change.row)))
            candidates.append(Candidate(change, channel, tuple(ids), asks))
    return Plan(list(inquiries.values()), candidates)
