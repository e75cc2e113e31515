"""From changes to frames: who must be asked for, and who is told what."""

from __future__ import annotations

from dataclasses import replace

import orjson

from reference_server.auth.claims import Claims
from reference_server.realtime.channel import Channel
from reference_server.realtime.delivery import plan
from reference_server.realtime.frames import Version
from reference_server.realtime.identity import Identity
from reference_server.realtime.pgoutput import Column, Relation, Row
from reference_server.realtime.subscriptions import Binding, SubscriptionIndex
from reference_server.realtime.tables import Change, Kind, Table

COLUMNS = (Column("id", 23, -1, True),)
KEYED = Table(Relation(1, "public", "t", "d", COLUMNS), ("int4",), (0,), True, "query")
KEYLESS = Table(Relation(2, "public", "t", "n", COLUMNS), ("int4",), (), True, "")


def identity(role: str = "authenticated") -> Identity:
    return Identity("token", Claims(role, None, 9e9), f'{{"role":"{role}"}}')


def channel(who: Identity, topic: str = "realtime:x", version: Version = "2.0.0") -> Channel:
    return Channel(1, version, topic, "1", who)


def change(kind: Kind, row: Row, table: Table = KEYED, xid: int = 7) -> Change:
    return Change(table, kind, None if kind == "DELETE" else row, row, 10, 0, xid)


def index_of(*channels: Channel) -> SubscriptionIndex[Channel]:
    index: SubscriptionIndex[Channel] = SubscriptionIndex()
    for one in channels:
        index.replace(one, (Binding(3, None, "public", "t"),), 0)
    return index


def test_each_subscriber_is_asked_once_for_each_row() -> None:
    """Two channels of one identity ask one question; roles are asked apart; the keys keep their places."""
    me, anon = identity(), identity("anon")
    index = index_of(channel(me), channel(me, "realtime:y"), channel(anon))
    made = plan([change("INSERT", ("1",)), change("UPDATE", ("1",), xid=5), change("INSERT", ("2",))], index.interested)
    assert [inquiry.arguments(made.xids) for inquiry in made.inquiries] == [
        ([5, 7], "authenticated", ['{"role":"authenticated"}'], ['["1","2"]']),
        ([5, 7], "anon", ['{"role":"anon"}'], ['["1","2"]']),
    ]


def test_only_those_who_see_the_row_are_told() -> None:
    """The answers name subscriber and place; the frames come in commit order."""
    me, anon = identity(), identity("anon")
    mine, nobodys = channel(me), channel(anon)
    made = plan([change("INSERT", ("1",)), change("INSERT", ("2",))], index_of(mine, nobodys).interested)
    seen = set(made.inquiries[0].seen([(1, 2)]))  # type: ignore[list-item]
    told = [(to, orjson.loads(frame)[4]["data"]["record"]) for to, frame in made.frames(seen)]
    assert told == [(mine, {"id": 2})]


def test_a_delete_is_told_without_asking() -> None:
    """Nobody can be asked for a row that is gone: all who pass the filters are told at once."""
    made = plan([change("DELETE", ("1",))], index_of(channel(identity())).interested)
    assert (made.inquiries, made.xids, len(list(made.frames(set())))) == ([], [], 1)


def test_a_guarded_table_without_a_key_is_an_error() -> None:
    """Where nobody can be asked who sees a row, those who listen learn that, and nothing of the row."""
    made = plan([change("INSERT", ("1",), KEYLESS)], index_of(channel(identity())).interested)
    ((_channel, frame),) = made.frames(set())
    data = orjson.loads(frame)[4]["data"]
    assert (made.inquiries, data["errors"]) == ([], ["Error 400: Bad Request, no primary key"])
    assert (data["columns"], "record" in data) == ([], False)


def test_an_open_table_is_told_without_asking() -> None:
    """Without row-level security nobody is asked."""
    unguarded = replace(KEYLESS, row_security=False)
    made = plan([change("INSERT", ("1",), unguarded)], index_of(channel(identity())).interested)
    assert (made.inquiries, len(list(made.frames(set())))) == ([], 1)


def test_a_channel_that_was_left_meanwhile_is_not_told() -> None:
    """Between the question and its answer a channel may be left."""
    left = channel(identity())
    made = plan([change("DELETE", ("1",))], index_of(left).interested)
    left.open = False
    assert list(made.frames(set())) == []


def test_equal_frames_are_encoded_once() -> None:
    """Members of one topic and version share the very same frame; another version has its own."""
    who = identity()
    index = index_of(channel(who), channel(who), channel(who, version="1.0.0"))
    frames = [frame for _channel, frame in plan([change("DELETE", ("1",))], index.interested).frames(set())]
    assert frames[0] is frames[1]
    assert frames[2] is not frames[0]
