"""The timeline answers its questions as a plain search would."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from harness.checkers.contention import contended_joins
from harness.checkers.lifetimes import read_facts
from harness.checkers.timeline import Effect, Effects, sighting_of
from harness.history.op import Op, Outcome, Via
from harness.target import Budgets

Story = Callable[[str], list[Op]]
MOMENTS = st.integers(0, 12)
SPANS = st.lists(st.tuples(MOMENTS, st.integers(0, 5) | st.just(math.inf)), max_size=12)


def effects_of(spans: list[tuple[int, float]]) -> list[Effect]:
    return [
        Effect(Op(n, t, t, "p", "u", "d", "leave", Outcome.OK, Via.HTTP), t, t + length)
        for n, (t, length) in enumerate(spans)
    ]


@given(spans=SPANS, moment=MOMENTS, excluded=st.integers(0, 12))
def test_effects_answer_as_a_search_would(spans: list[tuple[int, float]], moment: int, excluded: int) -> None:
    """The first that may come after a moment, the first that starts from it on, and whether one is pending."""
    effects = effects_of(spans)
    besides = effects[excluded].op if excluded < len(effects) else None
    others = [effect for effect in effects if effect.op is not besides]
    asked = Effects(effects)
    after = asked.first_after(moment, besides)
    assert (after and after.start) == min((e.start for e in others if e.until > moment), default=None)
    following = asked.first_from(moment, besides)
    assert (following and following.start) == min((e.start for e in others if e.start >= moment), default=None)
    assert asked.pending(moment) == any(e.start < moment < e.until for e in effects)


@given(joins=st.lists(st.tuples(MOMENTS, st.integers(1, 5), st.sampled_from("ABC")), max_size=10))
def test_contention_is_counted_as_a_search_would(joins: list[tuple[int, int, str]]) -> None:
    """A join is contended when another user's overlaps it."""
    ops = [Op(n, t, t + d, "p", u, "d", "join", Outcome.OK, Via.HTTP) for n, (t, d, u) in enumerate(joins)]
    expected = sum(any(a.user != b.user and a.t0 < b.t1 and b.t0 < a.t1 for b in ops) for a in ops)
    assert contended_joins(read_facts(ops, Budgets())) == expected


def test_what_a_sight_proves(story: Story) -> None:
    """A poll is live; a push proves that a session was there, not that it still is; a refused poll says nothing."""
    poll, push, ended, empty = story("1-2 A poll X(A,B)\n3 A push X(A,B)\n4-5 A poll X(A,B)~\n6-7 A poll -")
    sights = [sighting_of(op) for op in (poll, push, ended)]
    assert all(sights)
    assert [(s.since, s.known, s.live, s.active) for s in sights if s] == [
        (1.0, 2.0, True, True), (-math.inf, 3.0, False, True), (4.0, 5.0, True, False),
    ]  # fmt: skip
    assert sighting_of(empty) is None
    assert sighting_of(story("1-2 A poll! X(A,B)")[0]) is None


def test_lifetimes(story: Story) -> None:
    """Birth lies after both joins and the last empty poll; the end is the first op that may have ended it."""
    text = "0-0.1 A join\n1-1.1 B join\n2-2.1 A poll -\n3 B push X(A,B)\n5-6 A end X\n9-9.1 A join"
    session = read_facts(story(text), Budgets()).sessions["X"]
    assert (session.born_after, session.known, session.active_until) == (2.0, 3.0, 5.0)
    assert session.ender is not None
    assert session.ender.op.op == "end"


def test_a_later_poll_extends_the_certain_life(story: Story) -> None:
    """A session that a later poll still shows was not ended by what happened before."""
    text = "0-0.1 A join\n0-0.1 B join\n1 B push X(A,B)\n2-2.1 A join\n4-4.1 B poll X(A,B)"
    session = read_facts(story(text), Budgets()).sessions["X"]
    assert session.active_until == math.inf
    assert read_facts(story(text.replace("4-4.1", "2.5-2.6")), Budgets()).sessions["X"].active_until == 2.5
