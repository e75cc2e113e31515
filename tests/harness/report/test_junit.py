"""A run as a JUnit report: what a CI server shows of it."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import pytest

from harness.report.junit import junit_report
from harness.results.run import BenchRun, ConformRun, ConformSetRun, RequirementResult
from harness.results.run import Status as Word


def with_result(run: ConformRun, **given: object) -> ConformRun:
    """The run with one requirement alone."""
    fields = {"id": "AUTH-23", "level": "MUST", "title": "no key is shown", **given}
    return run.model_copy(update={"requirements": (RequirementResult.model_validate(fields),)})


def test_one_suite_for_each_target_and_one_case_for_each_requirement(bench: BenchRun) -> None:
    """Counts, names and statuses are there; a breach is a failure, a doubt a skip."""
    several = ConformSetRun(fingerprint=bench.fingerprint, verdict="not-conformant", conformance=bench.conformance)
    first, second = Xml.fromstring(junit_report(several))
    assert [suite.get("name") for suite in (first, second)] == ["documented", "hardened"]
    assert [first.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    cases = first.findall("testcase")
    assert [case.get("name") for case in cases] == [f"{id_} title of {id_}" for id_ in ("MM-S1", "MM-S2", "MM-L1")]
    assert {case.get("classname") for case in cases} == {"documented.MM"}
    statuses = [case.find("properties/property[@name='status']").get("value") for case in cases]  # type: ignore[union-attr]
    assert statuses == ["fail", "pass", "unknown"]


def test_a_failure_teaches(bench: BenchRun) -> None:
    """What came, what is required and by whom, why it matters, and the ops: each on a line of its own."""
    run = bench.conformance[0]
    rule = {"statement": "One at a time.", "clause": "section 17", "quote": "concurrent", "why": "Nobody talks."}
    failed = run.requirements[0].model_copy(update=rule)
    failure = Xml.fromstring(junit_report(run.model_copy(update={"requirements": (failed,)}))).find(".//failure")
    assert failure is not None and "in two sessions at once" in str(failure.get("message"))
    lines = str(failure.text).splitlines()
    assert lines[1:4] == ["required: One at a time.", "source:   section 17: concurrent", "matters:  Nobody talks."]
    assert len(lines) == 4 + 3 and all(line.startswith("witness:  {") for line in lines[4:])


@pytest.mark.parametrize(
    ("status", "element"),
    [("error", "error"), ("unknown", "skipped"), ("not-verified", "skipped"), ("warn", "skipped"), ("pass", None)],
)
def test_every_status_has_its_element(bench: BenchRun, status: Word, element: str | None) -> None:
    """The element is what CI colours; its message keeps our own word and the reason."""
    run = with_result(bench.conformance[0], status=status, detail="because")
    case = Xml.fromstring(junit_report(run)).find(".//testcase")
    assert case is not None
    found = [child for child in case if child.tag != "properties"]
    assert [child.tag for child in found] == ([element] if element else [])
    assert all(child.get("message") == f"{status}: because" for child in found)


def test_what_was_left_out_is_no_case(bench: BenchRun) -> None:
    """-k chooses what a report is about."""
    run = with_result(bench.conformance[0], status="not-verified", chosen=False)
    assert Xml.fromstring(junit_report(run)).find(".//testcase") is None


def test_what_xml_forbids_is_left_out(bench: BenchRun) -> None:
    """A target's answer may hold any character: the report is still XML."""
    run = with_result(bench.conformance[0], status="error", detail="came <\x00\x1b[31m>&")
    error = Xml.fromstring(junit_report(run)).find(".//error")
    assert error is not None and error.get("message") == "error: came <[31m>&"
