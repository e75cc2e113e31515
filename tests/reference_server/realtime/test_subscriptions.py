"""The index of subscriptions: it must answer as asking every subscription would."""

from __future__ import annotations

import random
from typing import Any

import pytest

from reference_server.realtime.filters import Condition
from reference_server.realtime.pgoutput import Column, Relation, Row
from reference_server.realtime.subscriptions import (
    Binding,
    Subscription,
    SubscriptionIndex,
    binding_id,
    parse_binding,
)
from reference_server.realtime.tables import Change, Kind, Table

SESSIONS = Relation(1, "public", "sessions", "d", (Column("id", 23, -1, True), Column("user", 25, -1, False)))
MESSAGES = Relation(2, "public", "messages", "d", (Column("id", 23, -1, True), Column("user", 25, -1, False)))


def table(relation: Relation) -> Table:
    return Table(relation, ("int4", "text"), (0,), True, "")


def change(relation: Relation, kind: Kind, row: Row, lsn: int = 10) -> Change:
    new, old = (None, row) if kind == "DELETE" else (row, None)
    return Change(table(relation), kind, new, old, lsn, 0, 1)


def binding(number: int, kind: Kind | None = None, name: str | None = "sessions", *conditions: Condition) -> Binding:
    return Binding(number, kind, "public", name, conditions)


def eq(value: str) -> Condition:
    return Condition("user", "eq", (value,), "text")


def interested(index: SubscriptionIndex[Any], one: Change) -> dict[Any, list[int]]:
    """The ids of the bindings that a change concerns, by owner."""
    found: dict[Any, list[int]] = {}
    for subscription in index.interested(one):
        found.setdefault(subscription.owner, []).append(subscription.binding.id)
    return found


def test_one_owner_gets_all_its_matching_ids_at_once() -> None:
    """A change that several bindings of a channel want concerns the channel once, with all their ids."""
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.replace("me", (binding(1, "INSERT", "sessions", eq("u")), binding(2), binding(3, "UPDATE")), 0)
    index.replace("you", (binding(4, None, None),), 0)
    found = interested(index, change(SESSIONS, "INSERT", ("1", "u")))
    assert {owner: sorted(ids) for owner, ids in found.items()} == {"me": [1, 2], "you": [4]}


def test_replacing_and_removing_leaves_nothing_behind() -> None:
    """A new set of bindings takes the old one's place; a removed owner is told of nothing."""
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.replace("me", (binding(1, None, "sessions", eq("u")),), 0)
    index.replace("me", (binding(2, None, "sessions", eq("v")),), 0)
    assert interested(index, change(SESSIONS, "INSERT", ("1", "u"))) == {}
    assert interested(index, change(SESSIONS, "INSERT", ("1", "v"))) == {"me": [2]}
    index.remove("me")
    index.remove("me")
    assert not index
    assert interested(index, change(SESSIONS, "INSERT", ("1", "v"))) == {}


def test_what_was_committed_before_the_subscription_is_not_told() -> None:
    """A subscription holds from its position in the log on, that position included."""
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.replace("me", (binding(1),), 10)
    told = [lsn for lsn in (9, 10, 11) if interested(index, change(SESSIONS, "INSERT", ("1", "u"), lsn))]
    assert told == [10, 11]


def test_unknown_values_pass_no_condition() -> None:
    """A DELETE whose log holds the key alone passes no filter on another column, nor does null pass `neq`."""
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.replace("by user", (binding(1, None, "sessions", eq("u")),), 0)
    index.replace("not by u", (binding(2, None, "sessions", Condition("user", "neq", ("u",), "text")),), 0)
    index.replace("by id", (binding(3, None, "sessions", Condition("id", "eq", ("7",), "int4")),), 0)
    assert interested(index, change(SESSIONS, "DELETE", ("7", None))) == {"by id": [3]}


def test_the_index_answers_as_a_scan_would() -> None:
    """Over random bindings and changes, the index finds exactly the subscriptions that want the change."""
    rng = random.Random(7)
    users = [str(number) for number in range(5)]
    operators = ("eq", "neq", "gt", "in")

    def condition() -> Condition:
        op = rng.choice(operators)
        return Condition("user", op, tuple(rng.sample(users, 2 if op == "in" else 1)), "text")

    def any_binding(number: int) -> Binding:
        conditions = tuple(condition() for _ in range(rng.randint(0, 2)))
        return binding(
            number, rng.choice(["INSERT", "DELETE", None]), rng.choice(["sessions", "messages", None]), *conditions
        )

    index: SubscriptionIndex[int] = SubscriptionIndex()
    everybody = {owner: tuple(any_binding(owner * 10 + n) for n in range(3)) for owner in range(60)}
    for owner, bindings in everybody.items():
        index.replace(owner, bindings, 0)
    for owner in list(everybody)[::4]:
        index.remove(owner)
        del everybody[owner]
    for _ in range(200):
        one = change(rng.choice([SESSIONS, MESSAGES]), rng.choice(["INSERT", "DELETE"]), ("1", rng.choice(users)))
        wanted = {
            owner: sorted(
                b.id for b in bindings if b.table in {None, one.table.name} and Subscription(owner, b, 0).wants(one)
            )
            for owner, bindings in everybody.items()
        }
        found = {owner: sorted(ids) for owner, ids in interested(index, one).items()}
        assert found == {owner: ids for owner, ids in wanted.items() if ids}


@pytest.mark.parametrize(
    ("params", "kind", "schema", "name"),
    [
        ({"event": "insert", "schema": "public", "table": "t"}, "INSERT", "public", "t"),
        ({"event": "*", "schema": "public"}, None, "public", None),
        ({"event": "nonsense", "table": "t"}, None, "public", "t"),
        ({"event": "DELETE", "schema": "private", "table": "*"}, "DELETE", "private", None),
    ],
)
def test_bindings_are_read_leniently(params: dict[str, str], kind: str | None, schema: str, name: str | None) -> None:
    """The event counts in any case, an unknown one means all; a table without schema is in public."""
    made = parse_binding(params)
    assert (made.kind, made.schema, made.table) == (kind, schema, name)


def test_ids_are_a_function_of_the_parameters() -> None:
    """Equal parameters have equal ids of at most 27 bits, whatever the order of their keys."""
    one = binding_id({"event": "INSERT", "table": "t"})
    assert one == binding_id({"table": "t", "event": "INSERT"}) < 2**27
    assert one != binding_id({"event": "INSERT", "table": "u"})
