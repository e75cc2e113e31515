"""Figures are counted from the ops as the format says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from harness.checkers.figures import figures, pairs_of
from harness.checkers.judge import judge, judge_groups
from harness.checkers.statistics import samples_ms, spread_ms, wilson_95
from harness.history.op import Op, Outcome, Via
from harness.target import Budgets

Story = Callable[[str], list[Op]]

TEXT = """
    10-10.1   A join
    10-10.1   B join
    10.2-10.3 C join
    10.5      A push X(A,B)
    10.9      B push X(A,B)
    11        C poll -
"""


def connect(session: str, user: str, start: float, end: float | None, stage: str) -> Op:
    outcome = Outcome.OK if stage == "connected" else Outcome.FAIL
    return Op(1, start, end, "p0", user, "d1", "connect", outcome, Via.RTC, {"id": session, "stage": stage})


def test_waits_count_from_when_a_user_was_due(story: Story) -> None:
    """From due, else from the start of the join, to the user's own first sight; who never saw one is not a sample."""
    ops = [replace(op, due=9.9) if op.op == "join" and op.user == "A" else op for op in story(TEXT)]
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert measured.join_to_match_ms.count == 2
    assert measured.join_to_match_ms.p50 == pytest.approx(600, rel=0.002)
    assert measured.join_to_match_ms.max == pytest.approx(900, rel=0.002)
    assert [q.percent for q in measured.join_to_match_quantiles][-1] == 100
    assert (measured.joins, measured.matches, measured.unmatched_users) == (3, 1, 1)


def test_matches_per_second_and_the_timeline(story: Story) -> None:
    """Correct matches over the time from the first join to the last new match; the timeline adds up to all matches."""
    text = "\n".join(
        f"{n}-{n}.1 A{n} join\n{n}-{n}.1 B{n} join\n{n}.5 A{n} push X{n}(A{n},B{n})\n{n}.5 B{n} push X{n}(A{n},B{n})"
        for n in range(5)
    )
    ops = story(text)
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert measured.duration == pytest.approx(4.5)
    assert measured.correct_matches_per_s == pytest.approx(5 / 4.5, abs=0.001)
    line = measured.timeline
    assert sum(rate * line.step for rate in line.matches_per_s) == pytest.approx(5)
    assert len(line.matches_per_s) == len(line.waiting)
    assert max(line.waiting) == 2
    assert line.waiting[-1] == 0


def test_wrong_matches_do_not_count(story: Story) -> None:
    """A match that a safety finding names is not a correct one; the first finding is kept as the witness."""
    ops = story(TEXT.replace("C poll -", "C push Y(C,A)"))
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert (measured.matches, measured.correct_matches, measured.correct_matches_per_s) == (2, 0, 0.0)
    assert measured.violations == {"MM-S1": 1}
    assert "A was in two sessions" in measured.first_witness["MM-S1"].sentence


def test_rates_come_from_the_swarm(story: Story) -> None:
    """Where a history has a part `swarm`, waits and rates are read there, and counts and pairs from all parts."""
    swarm = [replace(op, process="t.swarm.0", due=op.t0 - 1 if op.op == "join" else None) for op in story(TEXT)]
    tests = [replace(op, process="t.conform.0") for op in story("0-0.1 D join\n0-0.1 E join\n50 D push Z(D,E)")]
    pairs = [replace(connect("Z", user, 1, 2, "connected"), process="t.peers.0") for user in "DE"]
    ops = [*tests, *swarm, *pairs]
    measured = figures(ops, judge_groups(ops, Budgets())["t"], "t")
    assert measured.joins == 5
    assert measured.join_to_match_ms.count == 2
    assert measured.duration == pytest.approx(0.5)
    assert measured.pairs.connected == 1
    assert measured.offered_per_s == pytest.approx(2 / 0.2)
    assert measured.achieved_per_s == pytest.approx(2 / 0.2)


def test_nothing_happened() -> None:
    """A history without ops has figures without values, not an error."""
    measured = figures([], judge([], Budgets()), "t")
    assert measured.verdict == "unknown"
    assert measured.join_to_match_ms.p50 is None
    assert measured.pairs.success_rate is None
    assert measured.pairs.interval_95 is None
    assert measured.timeline.matches_per_s == ()


def test_pairs_are_sessions() -> None:
    """A pair is connected when both members are; else it failed at the stage of the member who stopped first."""
    pairs = pairs_of(
        [
            connect("1", "A", 0.0, 0.10, "connected"), connect("1", "B", 0.05, 0.2, "connected"),
            connect("2", "A", 0.0, 5.0, "ice-checks-timeout"), connect("2", "B", 0.0, 4.0, "gathering-none"),
            connect("3", "A", 0.0, 1.0, "connected"),
            connect("4", "A", 0.0, 1.0, "connected"), connect("4", "B", 0.0, None, "dtls"),
            connect("5", "A", 0.0, 1.0, "connected"), connect("5", "A", 0.0, 1.0, "connected"),
        ]
    )  # fmt: skip
    assert (pairs.attempted, pairs.connected, pairs.success_rate) == (5, 1, 0.2)
    assert pairs.failures_by_stage == {"dtls": 1, "gathering-none": 1, "one-sided": 2}
    assert pairs.time_to_connect_ms.count == 1
    assert pairs.time_to_connect_ms.max == pytest.approx(200, rel=0.002)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (24, 24, 0.862, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    """The interval agrees with published values (the last one: Newcombe 1998, table I)."""
    assert wilson_95(successes, trials) == pytest.approx((low, high), abs=0.0002)


def test_wilson_without_a_trial() -> None:
    """No trial, no interval."""
    assert wilson_95(0, 0) is None


def test_percentiles_have_three_digits() -> None:
    """Percentiles are within 0.1 % of the samples."""
    spread = spread_ms([n / 1000 for n in range(1, 1001)])
    assert (spread.p50, spread.p95, spread.p99, spread.max) == (
        pytest.approx(500, rel=0.001), pytest.approx(950, rel=0.001), pytest.approx(990, rel=0.001),
        pytest.approx(1000, rel=0.001),
    )  # fmt: skip


def test_the_samples_of_times_stand_in_the_order_of_their_beginnings(story: Story) -> None:
    """Joins, waits and connections one by one; a join that was refused is no sample; an empty figure has no name."""
    ops = [*story(TEXT), connect("X", "A", 11, 12, "connected"), connect("X", "B", 11.5, 13, "connected")]
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert measured.samples["join_ms"] == pytest.approx((100, 100, 100))
    assert measured.samples["join_to_match_ms"] == pytest.approx((500, 900))
    assert measured.samples["pairs.time_to_connect_ms"] == pytest.approx((2000,))
    assert measured.join_ms.count == 3
    alone = figures(ops[:3], judge(ops[:3], Budgets()), "t")
    assert alone.samples.keys() == {"join_ms"}


def test_of_many_samples_some_are_kept() -> None:
    """A thousand, from all of the run."""
    kept = samples_ms([(n, n + n / 1000) for n in reversed(range(5000))])
    assert len(kept) == 1000
    assert kept[:3] == (0, 5, 10)
    assert kept[-1] == 4995


def test_both_are_notified_when_the_later_of_them_knows(story: Story) -> None:
    """From the due time of the later of two joins to the later of two sights; a session that one saw alone has none."""
    text = """
        10-10.1   A join
        10.3-10.4 B join
        10.5      A push X(A,B)
        10.9      B push X(A,B)
        11-11.1   C join
        11.2-11.3 D join
        11.5      C push Y(C,D)
    """
    ops = [replace(op, due=10.2) if op.op == "join" and op.user == "B" else op for op in story(text)]
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert measured.both_notified_ms.count == 1
    assert measured.both_notified_ms.max == pytest.approx(700, rel=0.002)
    assert measured.samples["both_notified_ms"] == (700.0,)


def test_both_are_notified_of_their_latest_search(story: Story) -> None:
    """Who searches again counts from his second join."""
    text = """
        10-10.1   A join
        10-10.1   B join
        10.2      A push X(A,B)
        10.2      B push X(A,B)
        11-11.1   A end X
        12-12.1   A join
        12.2-12.3 B join
        12.4      A push Y(A,B)
        12.5      B push Y(A,B)
    """
    ops = story(text)
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert measured.samples["both_notified_ms"] == (200.0, 300.0)


def test_findings_in_a_million_joins(story: Story) -> None:
    """Two users who wait side by side for long are one finding of two joins."""
    ops = story("10-10.1 A join\n10-10.1 B join\n15-15.1 A poll -\n15-15.1 B poll -")
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert measured.violations["MM-L2"] == 1
    assert measured.violations_per_million_joins["MM-L2"] == 500_000
    assert figures([], judge([], Budgets()), "t").violations_per_million_joins == {}


def test_who_searches_again_is_not_offered_again(story: Story) -> None:
    """Offered and achieved rates are of arrivals: joins without a due time are no part of either."""
    text = "10-10.1 A join\n11-11.1 B join\n12-12.1 C join\n12.1-12.2 A join\n12.2-12.3 B join"
    ops = [replace(op, due=op.t0) if op.t0 <= 12 and op.op == "join" else op for op in story(text)]
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert (measured.offered_per_s, measured.achieved_per_s) == (1.0, 1.0)


def test_waits_are_told_by_persona_where_personas_are_mixed(story: Story) -> None:
    """By what each user plays; a persona of which nobody was matched has no times, and a history without has none."""
    ops = story(TEXT)
    plays = [
        Op(n, 1.0, 1.0, "p0", user, "d1", "plays", Outcome.OK, Via.SELF, {"persona": persona})
        for n, (user, persona) in enumerate((("A", "quick"), ("B", "slow"), ("C", "slow"), ("D", "absent")))
    ]
    measured = figures([*ops, *plays], judge([*ops, *plays], Budgets()), "t")
    assert {name: (one.users, one.join_to_match_ms.count) for name, one in measured.personas.items()} == {
        "absent": (0, 0), "quick": (1, 1), "slow": (2, 1),
    }  # fmt: skip
    assert measured.personas["slow"].join_to_match_ms.max == pytest.approx(900, rel=0.002)
    assert figures(ops, judge(ops, Budgets()), "t").personas == {}


def test_who_left_no_longer_waits(story: Story) -> None:
    """In the timeline; who was matched while he left is counted once."""
    text = "\n".join(f"10-10.1 {user} join" for user in "ABC")
    text += "\n11-11.1 A leave\n11-11.1 B leave\n12 B push X(B,C)\n12 C push X(B,C)"
    measured = figures(story(text), judge(story(text), Budgets()), "t")
    assert measured.timeline.waiting[-1] == 0
    assert max(measured.timeline.waiting) == 3
    assert (measured.censored_waits, measured.join_to_match_ms.count) == (1, 2)
