"""Figures as words."""

from __future__ import annotations

from harness.report.html import page
from harness.report.rows import (
    figure_rows,
    findings_of,
    notes,
    requirement_rows,
    scenario_notes,
    shortened,
    witness_lines,
)  # fmt: skip
from harness.results.finding import Finding, Verdict
from harness.results.fingerprint import take_fingerprint
from harness.results.run import BenchRun, Expectations, PersonaFigures, SwarmRun, TargetFigures
from harness.results.spread import Spread

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


def test_a_scenario_says_what_it_judged_and_what_it_did_not() -> None:
    """By target, with the number of cases; other runs say nothing of the kind."""
    target = TargetFigures(name="t", verdict=Verdict.VALID, checked={"MM-S1": 1200, "MM-L1": 3})
    run = SwarmRun(
        fingerprint=take_fingerprint(), verdict=Verdict.VALID, targets=(target,), scenario="churn",
        judges=("MM-S1", "MM-S6"),
    )  # fmt: skip
    assert scenario_notes(run) == [("t", "churn judged MM-S1 × 1,200; not put to the test: MM-S6")]
    assert scenario_notes(run.model_copy(update={"judges": ()})) == []
    assert "churn judged MM-S1 × 1,200" in page(run)


def test_findings_are_shown_in_a_million_joins() -> None:
    """Beside their number."""
    target = TargetFigures(name="t", verdict=Verdict.INVALID, violations={"MM-L2": 3})
    target = target.model_copy(update={"violations_per_million_joins": {"MM-L2": 21_428.6}})
    cells = {row.label: row.cells for row in figure_rows([target])}
    assert cells["per million joins"] == ("MM-L2 21,429",)


def test_each_persona_has_a_row_of_its_own() -> None:
    """Of a target that has it; the other shows a dash."""
    waits = PersonaFigures(users=2, join_to_match_ms=Spread(count=2, p50=20.0, p95=30.0, p99=30.0, max=30.0))
    one = TargetFigures(name="a", verdict=Verdict.VALID, personas={"innocent": waits, "flooder": PersonaFigures()})
    rows = {row.label: row.cells for row in figure_rows([one, TargetFigures(name="b", verdict=Verdict.VALID)])}
    assert rows["… of persona innocent"] == ("20 / 30 / 30 / 30", "–")
    assert "… of persona flooder" not in rows
