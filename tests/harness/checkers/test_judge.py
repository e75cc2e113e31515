"""The judge: when a history is valid, unknown or invalid, and how groups of histories are told apart."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from harness.checkers import judge as judging
from harness.checkers.judge import CHECKERS, judge, judge_groups, merge_judgements, split_groups
from harness.history.op import Op
from harness.results.finding import Judgement, Verdict
from harness.target import Budgets

Story = Callable[[str], list[Op]]
Judged = Callable[..., Judgement]

MATCH = "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B)\n0.5 B push X(A,B)\n"
DOUBLE = MATCH + "0-0.1 C join\n0.6 C push Y(C,A)\n"


def test_every_requirement_has_a_checker(judged: Judged) -> None:
    """The results name each requirement once, in the order of the table."""
    results = judged(MATCH).results
    assert [result.requirement for result in results] == list(CHECKERS)
    families = (("MM-S", 11), ("MM-L", 8), ("SG-S", 4), ("LIM-", 2))
    assert list(CHECKERS) == [f"{family}{n}" for family, most in families for n in range(1, most + 1)]


VERDICTS = {
    "nothing at all": ("", "unknown", "nobody joined"),
    "joins that were refused": ("0-0.1 A join!\n0-0.1 B join!", "unknown", "nobody joined"),
    "one after the other": ("0-0.1 A join\n1-1.1 B join", "unknown", "no two users joined at the same time"),
    "one user twice at once": ("0-0.1 A join\n0-0.1 A.d2 join", "unknown", "no two users joined at the same time"),
    "a match": (MATCH, "valid", "2 joins, 1 matches, nothing broken"),
    "a double match": (DOUBLE, "invalid", "broken: MM-S1 × 1"),
    "a fault without contention": ("0-0.1 A join\n0.5 A push X(A,A)", "invalid", "broken: MM-S2 × 1"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdict(name: str, judged: Judged) -> None:
    """A history without contention proves nothing, one violation is enough, and the reason says which."""
    text, verdict, reason = VERDICTS[name]
    judgement = judged(text)
    assert judgement.verdict == verdict
    assert reason in judgement.reason


def test_a_run_that_was_cut_short_is_unknown(judged: Judged) -> None:
    """Whatever a partial history holds, its verdict is unknown; what was found is still told."""
    assert judged(MATCH, complete=False).verdict == "unknown"
    judgement = judged(DOUBLE, complete=False)
    assert judgement.verdict == "unknown"
    assert judgement.reason == "the run was cut short; so far: MM-S1 × 1"
    assert judgement.violations == {"MM-S1": 1}


def test_a_checker_that_fails_is_unknown_never_valid(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker's own failure is named, counts as nothing checked, and does not hide what others find."""

    def broken(_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setitem(judging.CHECKERS, "MM-S2", broken)
    judgement = judged(MATCH)
    assert judgement.verdict == "unknown"
    assert judgement.reason == "the checkers of MM-S2 failed"
    failed = next(result for result in judgement.results if result.requirement == "MM-S2")
    assert failed.verdict is Verdict.UNKNOWN
    assert "KeyError" in failed.detail
    assert judged(DOUBLE).verdict == "invalid"
    assert merge_judgements([judged(MATCH), judged(MATCH)]).verdict == "unknown"


def test_a_history_that_cannot_be_sorted_is_unknown(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever breaks before the first checker is ours, and says nothing of the target."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(judging, "read_facts", broken)
    judgement = judged(MATCH)
    assert judgement.verdict == "unknown"
    assert judgement.reason == "the history could not be sorted: ZeroDivisionError: oops"
    assert [result.requirement for result in judgement.results] == list(CHECKERS)
    assert merge_judgements([judgement, judgement]).verdict == "unknown"


@pytest.mark.parametrize(
    "text", ["", "0-0.1 A join", "0-0.1 A join\n1-1.1 B join\n1.5 A push X(A,B)\n1.5 B push X(A,B)", MATCH]
)
def test_whatever_was_not_checked_has_a_reason(text: str, judged: Judged) -> None:
    """A reader learns what was missing; a race needs two joins at the same time."""
    judgement = judged(text)
    for result in judgement.results:
        assert bool(result.checked) != bool(result.detail), result
    checked = {result.requirement: result.checked for result in judgement.results}
    assert bool(checked["MM-S1"]) == (text == MATCH)


def test_counts(judged: Judged) -> None:
    """Joins, matches, correct matches, users without a match, and joins that met another."""
    judgement = judged(DOUBLE + "2-2.1 D join\n9-9.1 E join!")
    assert (judgement.joins, judgement.matches, judgement.correct_matches) == (4, 2, 0)
    assert judgement.unmatched_users == 1
    assert judgement.contended_joins == 3


@pytest.mark.parametrize(
    ("text", "contended"),
    [
        ("0-1 A join\n0.5-2 B join\n3-4 C join", 2),
        ("0-9 A join\n1-2 B join\n3-4 C join", 3),
        ("0-9 A join\n1-2 A.d2 join\n3-4 B join", 2),
        ("0-1 A join\n1-2 B join", 0),
        ("0-1 A join\n0-1 A.d2 join\n0-1 B join", 3),
        ("0- A join?\n0-1 B join", 0),
    ],
)
def test_contended_joins(text: str, contended: int, judged: Judged) -> None:
    """A join counts as contended when another user's join was under way too."""
    assert judged(text).contended_joins == contended


def in_process(ops: list[Op], process: str) -> list[Op]:
    return [replace(op, process=process) for op in ops]


def test_groups_are_judged_apart(story: Story) -> None:
    """Each target and part is a history of its own; the parts of one target are merged."""
    ops = [
        *in_process(story(DOUBLE), "my.target.swarm.0"),
        *in_process(story("0-0.1 D join"), "my.target.swarm.1"),
        *in_process(story("0-0.1 A join\n0-0.1 B join"), "my.target.peers.0"),
        *in_process(story(MATCH), "other.swarm.0"),
    ]
    assert {group: len(found) for group, found in split_groups(ops).items()} == {
        ("my.target", "swarm"): 7,
        ("my.target", "peers"): 2,
        ("other", "swarm"): 4,
    }
    judged = judge_groups(ops, Budgets())
    assert list(judged) == ["my.target", "other"]
    assert (judged["my.target"].joins, judged["my.target"].violations) == (6, {"MM-S1": 1})
    assert judged["my.target"].verdict == "invalid"
    assert judged["other"].verdict == "valid"


def test_short_process_names_are_one_group(story: Story) -> None:
    """Generators that name themselves otherwise belong together."""
    ops = [*in_process(story("0-0.1 A join"), "p0"), *in_process(story("0-0.1 B join"), "p1")]
    assert judge_groups(ops, Budgets())["target"].contended_joins == 2


def test_each_part_has_its_budgets(story: Story) -> None:
    """Budgets are looked up by target and part, then by target; else the defaults hold."""
    text = "0-0.1 A join\n0-0.1 B join\n3-3.1 A poll -\n3-3.1 B poll -"
    ops = [*in_process(story(text), "a.swarm.0"), *in_process(story(text), "b.swarm.0")]
    lax = Budgets(match=10)
    assert {name: j.verdict for name, j in judge_groups(ops, {"a.swarm": lax}).items()} == {
        "a": "valid",
        "b": "invalid",
    }
    assert {name: j.verdict for name, j in judge_groups(ops, {"a": lax, "b": lax}).items()} == {
        "a": "valid",
        "b": "valid",
    }
    assert judge_groups(ops, {"a.peers": lax})["a"].verdict == "invalid"


def test_parts_prove_together(story: Story) -> None:
    """What one part exercised counts for the target, though another part did not."""
    quiet, busy = story("0-0.1 A join\n1-1.1 B join"), story(MATCH)
    merged = merge_judgements([judge(quiet, Budgets()), judge(busy, Budgets())])
    assert merged.verdict == "valid"
    assert merged.joins == 4
    assert (
        next(result for result in merged.results if result.requirement == "MM-L3").detail
        == "the history holds no drain"
    )


def test_a_huge_number_of_findings_keeps_its_sentences(story: Story) -> None:
    """All findings are counted; beyond a thousand of one requirement they lose their witness."""
    text = "\n".join(f"{n}.5 U{n} push X{n}(U{n},U{n})" for n in range(1005))
    result = next(r for r in judge(story(text), Budgets()).results if r.requirement == "MM-S2")
    assert len(result.findings) == 1005
    assert result.findings[0].witness
    assert not result.findings[-1].witness
    assert "U1004" in result.findings[-1].sentence
