"""`match_found` on the channel `matching`: once for each of the two, for every match that a join makes."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from reference_server.limits.join_limit import TooManyJoins
from reference_server.matchmaking.announcing import match_found


class Room:
    """Notes what is broadcast."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, dict[str, str]]] = []

    def broadcast(self, topic: str, event: str, payload: dict[str, str]) -> None:
        self.heard.append((topic, event, payload))


def test_each_of_the_two_is_told():
    """The payload names the session and one of them (PROTOCOL 4)."""
    room, session, one, other = Room(), uuid4(), uuid4(), uuid4()
    match_found(room)(session, one, other)
    assert room.heard == [
        ("matching", "match_found", {"sessionId": str(session), "userId": str(user)}) for user in (one, other)
    ]


@pytest.mark.parametrize("name", ["documented", "hardened"])
async def test_every_match_is_announced_once(name, engine_at_work):
    """Of pairs that join one after the other, each session is told once, with its two members."""
    async with engine_at_work(name) as place:
        told: list[tuple[UUID, frozenset[UUID]]] = []
        place.engine.announce = lambda session, *members: told.append((session, frozenset(members)))
        users = await place.users(6)
        for user in users:
            await place.burst([user])
        async with place.database.connection() as connection:
            rows = await connection.fetch("select id, user1_id, user2_id from public.chat_sessions")
        assert len(rows) == 3
        assert sorted(told) == sorted((row[0], frozenset(row[1:])) for row in map(tuple, rows))


async def test_a_match_of_one_batch_is_announced_once(hardened):
    """Both callers of a batch learn of the same match; a join that keeps it announces nothing."""
    told: list[UUID] = []
    hardened.engine.announce = lambda session, _one, _other: told.append(session)
    users = await hardened.users(8)
    await asyncio.gather(*(hardened.engine.join(user, "global") for user in users for _ in range(2)))
    async with hardened.database.connection() as connection:
        rows = await connection.fetch("select id from public.chat_sessions where status = 'active'")
    assert sorted(told) == sorted(set(told))
    assert {row[0] for row in rows} <= set(told)


async def test_a_refused_join_announces_nothing(engine_at_work):
    """A user who has joined too often keeps the session that he is in, and nobody is told of it a second time."""
    async with engine_at_work("hardened", join_rate_limit=1) as place:
        told: list[UUID] = []
        place.engine.announce = lambda session, _one, _other: told.append(session)
        one, other = await place.users(2)
        await place.burst([one])
        await place.burst([other])
        with pytest.raises(TooManyJoins):
            await place.engine.join(other, "global")
        assert told == await place.active(other)
