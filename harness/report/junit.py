"""A run as a JUnit report: a suite for each target, a case for each requirement, verdict and threshold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from harness.report.rows import conformance_of, figures_of
from harness.results.finding import Verdict
from harness.results.run import ConformRun, RequirementResult, TargetFigures
from harness.results.store import StoredRun

_ELEMENT = {"fail": "failure", "error": "error"}
"""What does not pass and is not in here is a skip that says why."""


def junit_report(run: StoredRun) -> str:
    """The report as XML, in the form that CI servers read (JUnit 4's, as pytest and Surefire write it)."""
    root = Xml.Element("testsuites", name=f"gurukul {run.kind}")
    for conform in conformance_of(run):
        root.append(_suite(conform))
    for target in figures_of(run):
        root.append(_measured(target, run.fingerprint.created))
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _legal(Xml.tostring(root, encoding="unicode")) + "\n"


def lesson(result: RequirementResult) -> str:
    """A breach in full: what came, what is required and by whom, why it matters, and the ops that show it."""
    finding = result.finding
    said = finding.sentence if finding is not None else result.detail
    parts = {"required": result.statement, "source": f"{result.clause}: {result.quote}", "matters": result.why}
    ops = finding.witness if finding is not None else ()
    lines = [said, *(f"{name + ':':9} {text}" for name, text in parts.items() if text.strip(": "))]
    return "\n".join([*lines, *(f"witness:  {json.dumps(op)}" for op in ops)])


def _suite(run: ConformRun) -> Xml.Element:
    results = [result for result in run.requirements if result.chosen]
    counts = Counter(_kind(result) for result in results)
    suite = Xml.Element(
        "testsuite", name=run.target, timestamp=run.fingerprint.created, tests=str(len(results)),
        failures=str(counts["failure"]), errors=str(counts["error"]), skipped=str(counts["skipped"]),
        time=f"{sum(result.seconds for result in results):.3f}",
    )  # fmt: skip
    suite.append(_properties({"verdict": run.verdict, "reason": run.reason}))
    suite.extend(_cases(run.target, results))
    return suite


def _measured(target: TargetFigures, created: str) -> Xml.Element:
    """A suite for a target that was measured: a case for its verdict, and one for each threshold."""
    verdicts = {Verdict.INVALID: "failure", Verdict.UNKNOWN: "skipped"}
    cases = [("verdict", verdicts.get(target.verdict, ""), f"{target.verdict.value}: {target.reason}")]
    cases += [(one.text, "" if one.held else "failure", one.sentence) for one in target.thresholds]
    counts = Counter(kind for _, kind, _ in cases)
    suite = Xml.Element(
        "testsuite", name=f"{target.name} measured", timestamp=created, tests=str(len(cases)),
        failures=str(counts["failure"]), errors="0", skipped=str(counts["skipped"]), time=f"{target.duration:.3f}",
    )  # fmt: skip
    for name, kind, said in cases:
        case = Xml.SubElement(suite, "testcase", classname=f"{target.name}.measured", name=name, time="0.000")
        if kind:
            Xml.SubElement(case, kind, message=said, type=kind)
    return suite


def _cases(target: str, results: Sequence[RequirementResult]) -> list[Xml.Element]:
    return [_case(target, result) for result in results]


def _case(target: str, result: RequirementResult) -> Xml.Element:
    group = result.id.rpartition("-")[0]
    name, seconds = f"{result.id} {result.title}".strip(), f"{result.seconds:.3f}"
    case = Xml.Element("testcase", classname=f"{target}.{group}", name=name, time=seconds)
    case.append(_properties({"status": result.status, "level": result.level, "evidence": result.evidence}))
    kind = _kind(result)
    if kind:
        said = result.finding.sentence if result.finding is not None else result.detail
        found = Xml.SubElement(case, kind, message=f"{result.status}: {said}", type=result.status)
        found.text = lesson(result) if result.status in {"fail", "warn"} else None
    return case


def _kind(result: RequirementResult) -> str:
    return "" if result.status == "pass" else _ELEMENT.get(result.status, "skipped")


def _properties(given: dict[str, str]) -> Xml.Element:
    element = Xml.Element("properties")
    for name, value in given.items():
        Xml.SubElement(element, "property", name=name, value=value)
    return element


def _legal(text: str) -> str:
    """Without the control characters that XML 1.0 forbids: a target's answer may hold any."""
    return "".join(char for char in text if char >= " " or char in "\n\t\r")
