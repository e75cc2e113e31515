"""How those who are matched learn of it: by push or by poll, and how soon."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from harness.checkers.statistics import spread_ms
from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import company
from harness.client.participant import Participant
from harness.history.op import Op
from harness.results.spread import Spread

_PATIENCE = 4.5
"""Seconds that a user waits: longer than a poll's interval, so that a missed push shows."""


@dataclass(frozen=True)
class NoticeFacts:
    """Users who searched two at a time."""

    users: int
    pushed: int
    """Told before they ever asked."""
    polled: int
    """Told by a poll."""
    unmatched: int
    join_to_match_ms: Spread
    """From the later join of a pair to when a member was told."""


async def notice(place: Place) -> NoticeFacts:
    """Lets pairs search as the document's client does: join, subscribe, poll every three seconds."""
    ops: list[Op] = []
    count = 2 * place.size(25, 10)
    async with place.deployed("notice") as deployed, company(deployed.target, count, ops) as people:
        await asyncio.gather(*(person.connect() for person in people))
        for one, other in zip(people[::2], people[1::2], strict=True):
            await asyncio.gather(_search(one), _search(other))
    users = [person.user for person in people]
    return facts_of(ops, list(zip(users[::2], users[1::2], strict=True)))


async def _search(person: Participant) -> None:
    await person.join()
    await person.subscribe_matches()
    if await person.next_match(_PATIENCE) is None:
        await person.leave()


def facts_of(ops: Sequence[Op], pairs: Sequence[tuple[str, str]]) -> NoticeFacts:
    """Who was told how: the first op of a user that shows a session decides."""
    told: dict[str, Op] = {}
    joined: dict[str, float] = {}
    for op in sorted(ops, key=lambda op: op.t1 or op.t0):
        if op.op == "join" and op.t1 is not None:
            joined[op.user] = op.t0
        if op.value.get("session") is not None:
            told.setdefault(op.user, op)
    polled = sum(op.op == "poll" for op in told.values())
    waits = [
        (told[user].t1 or told[user].t0) - max(joined[member] for member in pair)
        for pair in pairs
        for user in pair
        if user in told and all(member in joined for member in pair)
    ]
    return NoticeFacts(
        users=2 * len(pairs), pushed=len(told) - polled, polled=polled, unmatched=2 * len(pairs) - len(told),
        join_to_match_ms=spread_ms([max(0.0, wait) for wait in waits]),
    )  # fmt: skip
