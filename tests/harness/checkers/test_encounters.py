"""What a run met is counted from its ops, and a scenario that met nothing of what it is for shows nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from harness.checkers.encounters import ENCOUNTERS, encounters_of, needs_of, unmet
from harness.checkers.figures import figures
from harness.checkers.judge import judge
from harness.history.op import Op, Outcome, Via
from harness.results.finding import Verdict
from harness.target import Budgets

Story = Callable[[str], list[Op]]

MET = "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B)\n0.5 B push X(A,B)\n"

STORIES = {
    "nothing": (MET + "2-2.1 A end X\n2.2 B told X\n3 A disconnect close\n3 B disconnect close", {}),
    "a leave beside another's join": ("0-0.1 A join\n1-1.1 A leave\n1.05-1.2 B join", {"leave_races": 1}),
    "a leave that ended before": ("0-0.1 A join\n1-1.1 A leave\n1.1-1.2 B join", {}),
    "a leave beside his own join": ("0-0.1 A join\n1-1.1 A leave\n1.05-1.2 A join", {"searches_again": 1}),
    "a leave beside a long join": ("0-5 B join\n1-1.1 A join\n2-2.1 A leave", {"leave_races": 1}),
    "a refused leave": ("0-0.1 A join\n1-1.1 A leave!\n1.05-1.2 B join", {}),
    "matched while leaving": ("0-0.1 A join\n1-1.1 A leave\n1.2-1.3 A poll X(A,B)", {"matched_while_leaving": 1}),
    "matched by a later join": (
        "0-0.1 A join\n1-1.1 A leave\n1.2-1.3 A join\n2-2.1 A poll X(A,B)",
        {"searches_again": 1},
    ),
    "sockets lost while waiting and talking": (
        MET + "0.2-0.3 C join\n1 A lost\n1 C lost\n2 A back",
        {"lost_waiting": 1, "lost_talking": 1, "reconnected": 1},
    ),
    "a socket lost by nobody in particular": ("1 A lost\n2 A back\n3 A back", {"reconnected": 1}),
    "ghosts": (MET + "0.2-0.3 C join\n1 A disconnect silent\n1 C disconnect close",
               {"vanished_waiting": 1, "vanished_talking": 1}),
    "who left did not vanish": ("0-0.1 A join\n1-1.1 A leave\n2 A disconnect close", {}),
    "friends": ("0-0.1 A befriend B\n0-0.1 A befriend! C", {"friendships": 1}),
    "searching again": (MET + "2-2.1 A end X\n3-3.1 A join", {"searches_again": 1}),
}  # fmt: skip


@pytest.mark.parametrize(("text", "met"), STORIES.values(), ids=STORIES)
def test_what_was_met(story: Story, text: str, met: dict[str, int]) -> None:
    """By user, in the order of the ops."""
    assert encounters_of(story(text)) == met


def test_refusals_and_skips_are_told_by_what_the_ops_say(story: Story) -> None:
    """A join answered 429, and an end by skip."""
    ops = story("0-0.1 A join!\n1-1.1 A end X")
    ops[0].value["status"] = 429
    ops[1].value["by"] = "skip"
    assert encounters_of(ops) == {"refused_joins": 1, "skips": 1}
    ops[1].outcome = Outcome.FAIL
    assert encounters_of(ops) == {"refused_joins": 1}


def test_every_encounter_is_counted_by_some_story() -> None:
    """None that cannot be met."""
    assert {name for _, met in STORIES.values() for name in met} | {"refused_joins", "skips"} == ENCOUNTERS.keys()


def with_needs(ops: list[Op], *needs: str) -> list[Op]:
    note = Op(999, 0.0, 0.0, "p0", "", "", "generator", Outcome.OK, Via.SELF, {"needs": list(needs)})
    return [*ops, note, replace(note, value={})]


def test_a_scenario_that_met_nothing_of_what_it_is_for_is_unknown(story: Story) -> None:
    """The reason names what was missing; a valid history with it is valid."""
    text = MET + "1-1.1 A leave\n1.05-1.2 C join\n"
    for need, verdict in (("leave_races", Verdict.VALID), ("refused_joins", Verdict.UNKNOWN)):
        ops = with_needs(story(text), need)
        measured = figures(ops, judge(ops, Budgets()), "t")
        assert measured.verdict is verdict, measured.reason
    assert measured.reason.startswith(
        "the scenario met nothing of what it is for: refused_joins (a join that was answered 429); "
    )


def test_a_requirement_can_be_what_a_scenario_is_for(story: Story) -> None:
    """Then its checker must have had a case."""
    ops = with_needs(story(MET), "MM-S11", "MM-S1")
    assert needs_of(ops) == ("MM-S11", "MM-S1")
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert measured.verdict is Verdict.UNKNOWN
    assert "it is for: a case of MM-S11; " in measured.reason
    assert measured.checked["MM-S1"] == 2


def test_a_finding_weighs_more_than_what_was_not_met(story: Story) -> None:
    """An invalid history stays invalid; a broken requirement has had its case."""
    ops = with_needs(story(MET + "0-0.1 C join\n0.6 C push Y(C,A)"), "refused_joins")
    measured = figures(ops, judge(ops, Budgets()), "t")
    assert measured.verdict is Verdict.INVALID
    assert "met nothing" in measured.reason
    assert unmet(["MM-S1"], {}, judge(ops, Budgets())) == ""
