"""From a batch of changes to each channel's frames: whom to ask for, and what to send to those who may see; no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import orjson

from reference_server.db import Record
from reference_server.realtime.channel import Channel
from reference_server.realtime.frames import Version, encode_change
from reference_server.realtime.identity import Identity
from reference_server.realtime.subscriptions import Subscription
from reference_server.realtime.tables import Change, Table, View

Place = tuple[int, str, int, int]
Seen = set[Place]
"""(table, role, subscriber, place) of each row that its subscriber sees, numbered as in its inquiry."""
Expression = tuple[str, str, bool]
"""A value, a regular expression of PostgreSQL's, and whether case is ignored."""


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

    def seen(self, answers: Iterable[Record]) -> Iterator[Place]:
        """What the answers of that query say."""
        return ((self.table.relation.oid, self.role, answer[0], answer[1]) for answer in answers)


@dataclass(slots=True)
class Candidate:
    """A change and a channel that it may concern, by some of its bindings.

    `ids` are the bindings that match, each with the expressions that must match too and those that must not; `asks` is
    what must be seen, None where nobody is asked. One that is `late` was committed before the subscription: its row
    must stand as it was inserted.
    """

    change: Change
    channel: Channel
    view: View
    asks: Place | None
    late: bool = False
    ids: list[tuple[int, tuple[tuple[Expression, bool], ...]]] = field(default_factory=list)

    def matching(self, matched: AbstractSet[Expression]) -> tuple[int, ...]:
        """The ids of the bindings whose expressions say yes."""
        return tuple(number for number, asked in self.ids if all((one in matched) != negate for one, negate in asked))


@dataclass(slots=True)
class Plan:
    """What must be asked before a batch of changes can be told, and the candidates in the order of their changes."""

    inquiries: list[Inquiry]
    candidates: list[Candidate]

    @property
    def xids(self) -> list[int]:
        """The transactions that must be over before anything is asked."""
        return sorted({one.change.xid for one in self.candidates if one.asks or one.late})

    @property
    def late(self) -> dict[Table, list[Change]]:
        """The insertions whose rows must stand, by table."""
        found: dict[Table, dict[Change, None]] = {}
        for candidate in self.candidates:
            if candidate.late:
                found.setdefault(candidate.change.table, {})[candidate.change] = None
        return {table: list(changes) for table, changes in found.items()}

    @property
    def expressions(self) -> list[Expression]:
        """The values that must be matched against regular expressions."""
        return sorted({one for item in self.candidates for _id, asked in item.ids for one, _negate in asked})

    def frames(
        self,
        seen: Seen,
        matched: AbstractSet[Expression] = frozenset(),
        standing: AbstractSet[Change] = frozenset(),
    ) -> Iterator[tuple[Channel, str]]:
        """The frames for those who see their rows, in commit order; equal frames are encoded once."""
        encoded: dict[tuple[Change, View, Version, str, tuple[int, ...]], str] = {}
        for candidate in self.candidates:
            channel = candidate.channel
            if not channel.open or (candidate.asks is not None and candidate.asks not in seen):
                continue
            if candidate.late and candidate.change not in standing:
                continue
            ids = candidate.matching(matched)
            if not ids:
                continue
            key = (candidate.change, candidate.view, channel.version, channel.topic, ids)
            frame = encoded.get(key)
            if frame is None:
                data = candidate.change.data(candidate.view)
                frame = encoded[key] = encode_change(channel.version, channel.topic, ids, data)
            yield channel, frame


Interested = Callable[[Change], Sequence[Subscription[Channel]]]
"""The subscriptions that a change concerns."""


def plan(changes: Iterable[Change], interested: Interested, *, replayed: bool = False) -> Plan:
    """Finds the channels that a batch of changes may concern, and what each must be asked for.

    Changes that are `replayed` are all late; others are where they were committed before the subscription.

    Where a table's rows are guarded, everybody who passes the filters is asked for, except for a DELETE: the row is
    gone, so nobody can be asked, and everybody who passes is told (PROTOCOL 1.5, RLS semantics 3).
    """
    inquiries: dict[tuple[int, str], Inquiry] = {}
    candidates: list[Candidate] = []
    for change in changes:
        found: dict[tuple[Channel, View], Candidate] = {}
        for subscription in interested(change):
            channel = subscription.owner
            role = channel.identity.claims.role
            view = change.table.view(role, subscription.binding.select, change.kind)
            candidate = found.get((channel, view))
            if candidate is None:
                asks = _ask(change, channel, view, inquiries)
                late = replayed or change.commit_lsn < subscription.since
                candidate = found[channel, view] = Candidate(change, channel, view, asks, late)
            candidate.ids.append((subscription.binding.id, _asked(subscription, change)))
        candidates += found.values()
    return Plan(list(inquiries.values()), candidates)


def _ask(change: Change, channel: Channel, view: View, inquiries: dict[tuple[int, str], Inquiry]) -> Place | None:
    table = change.table
    if change.kind == "DELETE" or view.error or not table.row_security:
        return None
    which = (table.relation.oid, channel.identity.claims.role)
    inquiry = inquiries.get(which)
    if inquiry is None:
        inquiry = inquiries[which] = Inquiry(table, which[1])
    question = inquiry.question(channel.identity)
    return (*which, question.number, question.place(table.key_text(change.row)))


def _asked(subscription: Subscription[Channel], change: Change) -> tuple[tuple[Expression, bool], ...]:
    if not subscription.asked:
        return ()
    return tuple(
        ((change.value(one.column) or "", one.values[0], one.op == "imatch"), one.negate) for one in subscription.asked
    )
