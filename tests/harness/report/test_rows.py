"""Figures as words."""

from __future__ import annotations

from harness.report.rows import figure_rows, findings_of, notes, requirement_rows, shortened, witness_lines
from harness.results.finding import Finding, Verdict
from harness.results.run import BenchRun, Expectations, TargetFigures

ID = "3f2a0000-1111-4222-8333-444455556666"


def test_ids_are_shortened_and_nothing_else() -> None:
    """A sentence full of ids becomes readable; dates, names and short ids stay."""
    assert shortened(f"user {ID}, 2025-01-02, abc-def") == "user 3f2a00…, 2025-01-02, abc-def"


def test_a_figure_that_nobody_has_is_left_out(bench: BenchRun) -> None:
    """Without open arrivals there is no row of dashes for them."""
    assert "arrivals per s" not in [row.label for row in figure_rows(bench.targets)]


def test_requirements_line_up(bench: BenchRun) -> None:
    """A requirement that only one target was tested for has a gap for the other."""
    first, second = bench.conformance
    rows = requirement_rows([first, second.model_copy(update={"requirements": second.requirements[:1]})])
    assert [result is None for result in rows[1].results] == [False, True]


def test_a_finding_is_told_once(bench: BenchRun) -> None:
    """The measured history's witness stands for the requirement; the suite's is used where there is none."""
    assert len(findings_of(bench)) == 1
    alone = bench.model_copy(update={"targets": ()})
    assert [name for name, _ in findings_of(alone)] == ["documented"]


def test_safety_comes_before_liveness(bench: BenchRun) -> None:
    """What is wrong for certain is told before what is late."""
    witnesses = {id_: Finding(requirement=id_, sentence=id_) for id_ in ("MM-L2", "MM-S7", "MM-S1")}
    figures = bench.targets[0].model_copy(update={"first_witness": witnesses})
    run = bench.model_copy(update={"targets": (figures,), "conformance": ()})
    assert [finding.requirement for _, finding in findings_of(run)] == ["MM-S1", "MM-S7", "MM-L2"]


def test_expectations_are_said() -> None:
    """A known failure that did not show is as worth saying as one that nobody knew of."""
    odd = Expectations(findings=("MM-S1",), met=False, missing=("MM-S1",), unexpected=("MM-S3",))
    said = notes(TargetFigures(name="documented", verdict=Verdict.VALID, expectations=odd, arrivals_dropped=3))
    assert any("did not: MM-S1" in line for line in said)
    assert any("not expected: MM-S3" in line for line in said)
    assert any("3 arrivals were dropped" in line for line in said)


def test_a_witness_reads_as_a_story() -> None:
    """Each op says when (from the first), who (with the device, where it is another one), what, and how it came out."""
    finding = Finding(
        requirement="MM-S2", sentence="-",
        witness=(
            {"t0": 5.0, "user": ID, "device": "d1", "op": "join", "outcome": "ok", "value": {"mode": "global"}},
            {"t0": 5.25, "user": ID, "device": "phone", "op": "poll", "outcome": "ok", "value": {"session": None}},
        ),
    )  # fmt: skip
    assert witness_lines(finding) == [
        ("+0.000 s", "3f2a00…", "join mode=global", "ok"),
        ("+0.250 s", "3f2a00… (phone)", "poll sees no session", "ok"),
    ]
