"""Stories that keep MM-S8, S10 and L8, and stories that break exactly one of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.results.finding import Judgement

Judged = Callable[..., Judgement]

MATCH = """
    0-0.1   A join
    0-0.1   B join
    0.5     A push X(A,B)
    0.5     B push X(A,B)
"""

BAD = {
    "a poll shows a session whose end was accepted": ("MM-S8", MATCH + "2-2.1 A end X\n3-3.1 B poll X(A,B)"),
    "a poll shows a session of which the user was told that it is over": (
        "MM-S8",
        MATCH + "2 B told X\n3-3.1 A poll X(A,B)",
    ),
    "a session is active again": ("MM-S8", MATCH + "2-2.1 A look X(A,B)~\n3-3.1 B look X(A,B)"),
    "the abandoned session is offered as a match": ("MM-S8", MATCH + "2-2.1 A join\n3.5-3.6 A poll X(A,B)"),
    "a session is gone after a crash": ("MM-S10", MATCH + "2-3 - fault kill\n6-6.1 A look X"),
    "polls are empty after a crash": ("MM-S10", MATCH + "2-3 - fault kill\n6-6.1 A poll -"),
    "a session outlives its greatest age": ("MM-L8", MATCH + "102-102.1 A poll X(A,B)\n103-103.1 B poll X(A,B)"),
}

GOOD = {
    "an end that was refused": MATCH + "2-2.1 A end! X\n3-3.1 B poll X(A,B)",
    "an end whose answer was lost": MATCH + "2-2.1 A end? X\n3-3.1 B poll X(A,B)",
    "an end by a stranger, which changes nothing": MATCH + "2-2.1 C end X\n3-3.1 B poll X(A,B)",
    "a partner's word comes before the end itself": MATCH + "2 B told X call-ended\n3-3.1 A poll X(A,B)",
    "a poll that was under way when it ended": MATCH + "2-2.1 A end X\n2.05-3 B poll X(A,B)",
    "a late push of a session that is over": MATCH + "2-2.1 A end X\n3 B push X(A,B)",
    "a second join that began before he knew": "0-0.1 A join\n0-0.1 B join\n0.4-0.6 A join\n0.5 A push X(A,B)\n"
    "0.5 B push X(A,B)\n1-1.1 A poll X(A,B)",
    "a second join that brings the session of the first": MATCH + "2-2.1 A join X(A,B)\n3-3.1 A poll X(A,B)",
    "it was ended before the crash": MATCH + "1-1.1 A end X\n2-3 - fault kill\n6-6.1 A poll -\n7-7.1 A look X(A,B)~",
    "a look that failed": MATCH + "2-3 - fault kill\n6-6.1 A look! X\n7-7.1 A look X(A,B)",
    "his socket broke in the crash, and the target gave him up": MATCH
    + "2-3 - fault kill\n2.1 A lost\n5 A back\n6-6.1 A poll -",
    "his row is hidden by age": MATCH + "2-3 - fault kill\n100-100.1 A look X",
    "it ended by its age": MATCH + "99.6-99.7 A poll X(A,B)\n100-100.1 B poll -\n102-102.1 A poll -",
}


@pytest.mark.parametrize("name", BAD)
def test_breach(name: str, judged: Judged) -> None:
    """The requirement is broken, and no other; the witness has two to six ops."""
    requirement, text = BAD[name]
    judgement = judged(text)
    assert set(judgement.violations) == {requirement}, judgement.reason
    finding = next(f for result in judgement.results for f in result.findings)
    assert 2 <= len(finding.witness) <= 6
    assert finding.sessions == ("X",)


@pytest.mark.parametrize("name", GOOD)
def test_no_breach(name: str, judged: Judged) -> None:
    """Nothing is broken."""
    judgement = judged(GOOD[name])
    assert judgement.violations == {}, judgement.results


@pytest.mark.parametrize(
    ("requirement", "text", "checked", "why"),
    [
        ("MM-S8", MATCH, 0, "nobody looked for a session that was over"),
        ("MM-S8", MATCH + "2-2.1 A end X\n3-3.1 B poll -", 1, ""),
        ("MM-S10", MATCH, 0, "nothing crashed"),
        ("MM-S10", MATCH + "2-3 - fault kill", 0, "nobody looked for his session after a crash"),
        ("MM-S10", MATCH + "2-3 - fault kill\n6-6.1 A look X(A,B)", 1, ""),
        ("MM-L8", MATCH + "50-50.1 A poll X(A,B)", 0, "no session was looked at beyond its greatest age"),
        ("MM-L8", MATCH + "102-102.1 A poll -", 1, ""),
        ("MM-L8", MATCH + "9-9.1 A end X\n102-102.1 A poll -", 0, "no session was looked at beyond its greatest age"),
    ],
)
def test_what_was_checked(requirement: str, text: str, checked: int, why: str, judged: Judged) -> None:
    """A history that never put the requirement to the test counts nothing, and says why."""
    result = next(result for result in judged(text).results if result.requirement == requirement)
    assert (result.checked, result.detail) == (checked, why)
