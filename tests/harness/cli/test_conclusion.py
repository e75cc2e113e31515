"""What follows from judged targets: every way in which a run may come out."""

import pytest

from harness.cli.conclusion import conclude, conclude_bench, with_expectations
from harness.results.finding import Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import ConformRun, TargetFigures

AS_EXPECTED = {"MM-S1": 3, "MM-L2": 40, "MM-L3": 1}


def figures(name: str, verdict: str = "valid", **violations: int) -> TargetFigures:
    found = {requirement.replace("_", "-"): count for requirement, count in violations.items()}
    return TargetFigures(name=name, verdict=Verdict(verdict), reason=f"{name} is {verdict}", violations=found)


def suite(target: str, verdict: str) -> ConformRun:
    return ConformRun(fingerprint=Fingerprint(created="now"), target=target, verdict=verdict, reason="because")


HARDENED = figures("hardened")
DOCUMENTED = figures("documented", "invalid", MM_S1=3, MM_L2=40)


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        (["valid"], Verdict.VALID),
        (["valid", "unknown"], Verdict.UNKNOWN),
        (["unknown", "invalid", "valid"], Verdict.INVALID),
        ([], Verdict.UNKNOWN),
    ],
)
def test_the_worst_target_decides(verdicts: list[str], verdict: Verdict):
    """Invalid before unknown before valid; no target at all is unknown. The reason names the targets that decide."""
    targets = [figures(f"t{number}", each) for number, each in enumerate(verdicts)]
    concluded, reason = conclude(targets)
    assert concluded is verdict
    assert all(target.name in reason for target in targets if target.verdict is verdict)


def test_an_interrupted_run_is_unknown_whatever_it_found():
    """What a part shows does not stand for the whole."""
    assert conclude([DOCUMENTED], interrupted=True)[0] is Verdict.UNKNOWN
    assert conclude_bench([DOCUMENTED, HARDENED], [], interrupted=True)[0] is Verdict.UNKNOWN


@pytest.mark.parametrize("liveness", ["MM_L2", "MM_L3"])
def test_a_bench_is_valid_when_both_engines_do_what_they_should(liveness: str):
    """Hardened breaks nothing; documented breaks MM-S1, and MM-L2 or MM-L3."""
    documented = figures("documented", "invalid", MM_S1=1, **{liveness: 1})
    suites = [suite("documented", "not-conformant"), suite("hardened", "conformant")]
    assert conclude_bench([documented, HARDENED], suites)[0] is Verdict.VALID


@pytest.mark.parametrize(
    ("targets", "suites", "verdict", "says"),
    [
        ([DOCUMENTED, figures("hardened", "invalid", MM_S3=1)], [], Verdict.INVALID, "hardened is invalid"),
        ([DOCUMENTED, HARDENED], [suite("hardened", "not-conformant")], Verdict.INVALID, "does not conform"),
        ([DOCUMENTED, figures("hardened", "unknown")], [], Verdict.UNKNOWN, "could not be judged"),
        ([DOCUMENTED, HARDENED], [suite("hardened", "unknown")], Verdict.UNKNOWN, "is not known"),
        ([figures("documented"), HARDENED], [], Verdict.UNKNOWN, "MM-S1 and MM-L2 or MM-L3"),
        ([figures("documented", "invalid", MM_L2=9), HARDENED], [], Verdict.UNKNOWN, "to break MM-S1, and did not"),
        ([figures("documented", "invalid", MM_S1=9), HARDENED], [], Verdict.UNKNOWN, "to break MM-L2 or MM-L3"),
        ([HARDENED], [], Verdict.UNKNOWN, "not both engines"),
    ],
)
def test_how_a_bench_may_fail(targets, suites, verdict: Verdict, says: str):
    """A fault of hardened makes it invalid, too little contention unknown; the reason says which."""
    concluded, reason = conclude_bench(targets, suites)
    assert concluded is verdict
    assert says in reason


def test_expectations_are_kept_with_the_figures():
    """What was expected, what is missing, and what nobody expected."""
    documented = with_expectations(figures("documented", "invalid", MM_L3=1)).expectations
    assert (documented.met, documented.missing, documented.unexpected) == (False, ("MM-S1",), ())
    hardened = with_expectations(figures("hardened", "invalid", MM_L1=1)).expectations
    assert (hardened.met, hardened.unexpected) == (True, ("MM-L1",))
