"""What follows from judged targets: one verdict for a run. Pure: figures in, verdict and reason out."""

from __future__ import annotations

from collections.abc import Sequence

from harness.results.finding import Verdict
from harness.results.run import ConformRun, Expectations, TargetFigures

EXPECTED = {"documented": ("MM-S1", "MM-L2|MM-L3")}
"""What a built-in target must break under contention; each entry is one id, or several of which one is enough."""

Conclusion = tuple[Verdict, str]


def with_expectations(target: TargetFigures) -> TargetFigures:
    """The figures with what this target was expected to break, and whether it did."""
    expected = EXPECTED.get(target.name, ())
    allowed = {requirement for entry in expected for requirement in entry.split("|")}
    missing = tuple(entry for entry in expected if not set(entry.split("|")) & set(target.violations))
    unexpected = tuple(sorted(set(target.violations) - allowed)) if not expected else ()
    expectations = Expectations(findings=expected, met=not missing, missing=missing, unexpected=unexpected)
    return target.model_copy(update={"expectations": expectations})


def conclude(targets: Sequence[TargetFigures], *, interrupted: bool = False) -> Conclusion:
    """The verdict on targets of which each should be valid: the worst of theirs."""
    if interrupted:
        return Verdict.UNKNOWN, "the run was interrupted"
    if not targets:
        return Verdict.UNKNOWN, "nothing was recorded"
    for verdict in (Verdict.INVALID, Verdict.UNKNOWN):
        reasons = [f"{target.name}: {target.reason}" for target in targets if target.verdict is verdict]
        if reasons:
            return verdict, "; ".join(reasons)
    return Verdict.VALID, "; ".join(target.reason for target in targets)


def conclude_bench(
    targets: Sequence[TargetFigures], conformance: Sequence[ConformRun], *, interrupted: bool = False
) -> Conclusion:
    """The verdict on the main job: hardened must be valid, and documented must fail as expected.

    A documented engine that broke nothing was not pressed hard enough, so that nothing follows for the other either.
    """
    if interrupted:
        return Verdict.UNKNOWN, "the run was interrupted"
    figures = {target.name: target for target in targets}
    suites = {run.target: run for run in conformance}
    if not {"documented", "hardened"} <= figures.keys():
        return Verdict.UNKNOWN, "not both engines were measured"
    hardened, documented = figures["hardened"], with_expectations(figures["documented"])
    suite = suites.get("hardened")
    if hardened.verdict is Verdict.INVALID:
        return Verdict.INVALID, f"hardened is invalid: {hardened.reason}"
    if suite is not None and suite.verdict == "not-conformant":
        return Verdict.INVALID, f"hardened does not conform: {suite.reason}"
    if hardened.verdict is Verdict.UNKNOWN:
        return Verdict.UNKNOWN, f"hardened could not be judged: {hardened.reason}"
    if suite is not None and suite.verdict == "unknown":
        return Verdict.UNKNOWN, f"the conformance of hardened is not known: {suite.reason}"
    missing = documented.expectations.missing if documented.expectations is not None else ()
    if missing:
        words = " and ".join(entry.replace("|", " or ") for entry in missing)
        return Verdict.UNKNOWN, f"too little contention: documented was expected to break {words}, and did not"
    return Verdict.VALID, "hardened is valid, and documented breaks what it was expected to break"
