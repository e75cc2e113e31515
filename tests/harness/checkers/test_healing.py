"""Stories of faults: what is excused while they last and heal, and what breaks MM-L7 thereafter."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.results.finding import Judgement

Judged = Callable[..., Judgement]

WAITERS = "0-0.1 A join\n0-0.1 B join\n"


def polls(*moments: float) -> str:
    return "".join(f"{t}-{t + 0.1:.1f} {user} poll -\n" for t in moments for user in "AB")


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        (WAITERS + polls(2), {"MM-L2"}),
        (WAITERS + "0.5-2 - fault restart\n" + polls(3), set()),
        (WAITERS + "0.5-2 - fault restart\n" + polls(3, 5.4), {"MM-L7"}),
        (WAITERS + "0.5- - fault partition\n" + polls(3, 5.4, 9), set()),
        (WAITERS + polls(2) + "2.5-3 - fault restart\n" + polls(4), {"MM-L2"}),
        ("1-2 - fault kill\n6-6.1 A join\n6-6.1 B join\n6.5 A push X(A,B)\n8-8.1 B poll -", {"MM-L7"}),
        ("1-2 - fault kill\n2-2.1 A join\n2-2.1 B join\n2.5 A push X(A,B)\n3.8-3.9 B poll -", set()),
        ("0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B)\n1-2 - fault kill\n1.6-1.7 B poll -", set()),
    ],
)
def test_fault(text: str, broken: set[str], judged: Judged) -> None:
    """L1 and L2 need not hold while a fault lasts and for 2 s more; later their breach is one of L7."""
    judgement = judged(text)
    assert set(judgement.violations) == broken, judgement.reason


def test_the_fault_stands_in_the_witness(judged: Judged) -> None:
    """Whoever reads the finding sees when it was over."""
    judgement = judged(WAITERS + "0.5-2 - fault restart\n" + polls(3, 5.4))
    finding = next(f for result in judgement.results for f in result.findings)
    assert "fault (restart) was over at 2.000 s and 2 s are allowed to heal" in finding.sentence
    assert [op["op"] for op in finding.witness] == ["join", "join", "fault", "poll", "poll"]


def test_what_a_fault_excuses_besides(judged: Judged) -> None:
    """A drain, and a partner who was not told, in the shadow of a fault."""
    drain = WAITERS + polls(4.9) + "0.2-4 - fault kill\n3-9 - drain"
    assert judged(drain).violations == {}
    vanished = (
        "0-0.1 A join\n0-0.1 B join\n0.3 B push X(A,B)\n1 A disconnect close\n2-3 - fault kill\n6-6.1 B poll X(A,B)"
    )
    assert judged(vanished).violations == {}
    assert set(judged(vanished.replace("2-3 - fault kill\n", "")).violations) == {"MM-L5"}


@pytest.mark.parametrize(
    ("text", "checked", "why"),
    [
        (WAITERS, 0, "nothing was broken on purpose"),
        (WAITERS + "0.5-2 - fault kill", 0, "nothing was asked of the target after the fault had healed"),
        ("1-2 - fault kill\n6-6.1 A join\n6-6.1 B join\n6.5 A push X(A,B)\n6.5 B push X(A,B)", 4, ""),
    ],
)
def test_what_was_checked(text: str, checked: int, why: str, judged: Judged) -> None:
    """A history in which nothing was broken, or nothing asked thereafter, shows nothing."""
    result = next(result for result in judged(text).results if result.requirement == "MM-L7")
    assert (result.checked, result.detail) == (checked, why)
