"""From what was measured to a verdict: tolerances, shares, and requirements of the suite."""

from __future__ import annotations

import pytest

from harness.cli.claims.verdicts import about, by_requirements, joined_by_and, ruled, share, share_text, untestable
from harness.results.run import RequirementResult


def result(name: str, status: str) -> RequirementResult:
    """A requirement that came out so."""
    return RequirementResult(id=name, title="a title", level="MUST", evidence="E1", status=status)


@pytest.mark.parametrize(("value", "is_so"), [(66, True), (44, True), (99, True), (43.9, False), (99.1, False)])
def test_an_approximate_figure_holds_within_half_as_much_again(value: float, is_so: bool) -> None:
    """Larger or smaller by a factor of 1.5."""
    assert about(value, 66) is is_so


@pytest.mark.parametrize(("value", "is_so"), [(6.7, True), (22.5, True), (6.6, False), (22.6, False)])
def test_an_approximate_range_is_wider_at_both_ends(value: float, is_so: bool) -> None:
    """10 to 15."""
    assert about(value, 10, 15) is is_so


def test_a_share_has_its_interval() -> None:
    """Of nothing there is none."""
    assert share(3, 400).interval_95 == pytest.approx((0.0026, 0.0218), abs=1e-3)
    assert share(0, 0).interval_95 is None
    assert share_text(0, 0) == "0 of 0"


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        (("pass", "pass"), "holds"),
        (("pass", "fail"), "broken"),
        (("not-verified", "fail"), "broken"),
        (("pass", "not-verified"), "not testable here"),
        (("pass", "unknown"), "not testable here"),
    ],
)
def test_a_claim_by_requirements_is_no_better_than_its_worst(statuses: tuple[str, str], verdict: str) -> None:
    """What was not verified is never a pass."""
    results = {name: result(name, status) for name, status in zip(("A", "B"), statuses, strict=True)}
    judged = by_requirements(results, ("A", "B"))
    assert judged.verdict == verdict
    assert bool(judged.because) is (verdict == "not testable here")


def test_a_requirement_that_was_not_tested_is_not_testable() -> None:
    """It says which."""
    judged = by_requirements({"A": result("A", "pass")}, ("A", "B"))
    assert judged.verdict == "not testable here"
    assert "B" in judged.because


def test_two_together_are_broken_where_one_is() -> None:
    """And not testable where one is, and none is broken."""
    held, broken, untested = ruled(True, "so"), ruled(False, "not so"), untestable("no relay")
    assert joined_by_and(held, broken).verdict == "broken"
    assert joined_by_and(held, untested).because == "no relay"
    assert joined_by_and(untested, broken).because == ""
    assert joined_by_and(held, held).measured == "so; so"
