"""What is exported is what its consumer reads: checked by the consumer's parser or its published schema."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from junitparser import Failure, JUnitXml, Skipped
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.report.junit import junit_report
from harness.results.exporters import badge, bencher, figures_to_export, github_benchmark, markdown, openmetrics, otava
from harness.results.finding import Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.joining import JoinRate
from harness.results.run import (
    BenchRun,
    ConformRun,
    Pairs,
    RequirementResult,
    SwarmRun,
    TargetFigures,
    ThresholdResult,
)
from harness.results.spread import Spread

PRINT = Fingerprint(created="2026-01-02T03:04:05+00:00", commit="0123456789ab")
SPREAD = Spread(count=200, p50=5.0, p90=8.0, p95=9.5, p99=20.0, max=30.0)
HARDENED = TargetFigures(
    name="hardened", verdict=Verdict.VALID, joins=200, matches=100, correct_matches=100, correct_matches_per_s=9.5,
    join_ms=SPREAD, join_to_match_ms=SPREAD,
    pairs=Pairs(
        attempted=24, connected=23, success_rate=0.9583, interval_95=(0.7979, 0.9926), time_to_connect_ms=SPREAD
    ),
    joining=JoinRate(
        at_once=32, mode="global", joins=2000, joins_per_s=900.0, correct_matches=1000, correct_matches_per_s=450.0,
        noop_per_s=3000.0,
    ),
    thresholds=(
        ThresholdResult(text="violations==0", value=0, held=True, sentence="violations is 0"),
        ThresholdResult(text="matches_per_s>500", value=9.5, held=False, sentence="it is 9.5 & “low” <\x00>"),
    ),
)  # fmt: skip
DOCUMENTED = HARDENED.model_copy(
    update={"name": "documented", "verdict": Verdict.INVALID, "violations": {"MM-S1": 3, "MM-L2": 4}}
)
SUITE = ConformRun(
    fingerprint=PRINT, target="hardened", verdict="conformant",
    requirements=(
        RequirementResult(id="MM-S1", level="MUST", status="pass"),
        RequirementResult(id="MM-S2", level="MUST", status="fail", detail="two at once"),
    ),
)  # fmt: skip
BENCH = BenchRun(fingerprint=PRINT, verdict=Verdict.VALID, targets=(HARDENED, DOCUMENTED), conformance=(SUITE,))
SWARM = SwarmRun(fingerprint=PRINT, verdict=Verdict.VALID, targets=(HARDENED,), scenario="search_and_chat")

GITHUB_BENCHMARK: dict[str, Any] = {
    "type": "array", "minItems": 1,
    "items": {
        "type": "object", "required": ["name", "unit", "value"], "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "minLength": 1}, "unit": {"type": "string"}, "value": {"type": "number"},
            "range": {"type": "string"}, "extra": {"type": "string"},
        },
    },
}  # fmt: skip
"""As the README of benchmark-action/github-action-benchmark describes custom benchmarks; it publishes no schema."""

BMF: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema", "type": "object",
    "patternProperties": {".+": {"type": "object", "patternProperties": {".+": {
        "type": "object", "required": ["value"],
        "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
    }}}},
}  # fmt: skip
"""https://bencher.dev/bmf.json"""


def test_void_figures_are_left_out() -> None:
    """Of a target that is not valid only what it broke is exported."""
    names = {(figure.target, figure.name) for figure in figures_to_export(BENCH)}
    assert ("hardened", "join_ms.p50") in names
    assert {name for target, name in names if target == "documented"} == {"violations"}
    assert ("hardened", "requirements.fail") in names


@pytest.mark.parametrize("better", ["smaller", "bigger"])
def test_github_benchmark(better: Any) -> None:
    """An array of named values with units, as the action's custom tools read it, each sort in its own file."""
    rows = json.loads(github_benchmark([BENCH], better))
    Draft202012Validator(GITHUB_BENCHMARK).validate(rows)
    by_name = {row["name"]: row for row in rows}
    assert len(by_name) == len(rows)
    assert ("hardened: join_ms.p50" in by_name) is (better == "smaller")
    if better == "bigger":
        assert by_name["hardened: pairs.success_rate"]["range"] == "0.7979 to 0.9926"
        assert by_name["hardened: correct_matches_per_s"]["value"] == 9.5


def test_bencher() -> None:
    """A benchmark for each target, a measure for each figure, valid by the published schema and within its lengths."""
    found = json.loads(bencher([SWARM]))
    Draft7Validator(BMF).validate(found)
    measures = found["hardened search_and_chat"]
    assert measures["pairs-success-rate"] == {"value": 0.9583, "lower_value": 0.7979, "upper_value": 0.9926}
    assert all(len(name) <= 64 and name == name.lower() for name in measures)


def test_otava() -> None:
    """A row for each run that has all figures, oldest first, with a time that parses and a number in each cell."""
    older, void = (
        SWARM.model_copy(update={"fingerprint": PRINT.model_copy(update={"created": f"2026-01-01T0{n}:00:00+00:00"})})
        for n in range(2)
    )
    void = void.model_copy(update={"targets": (DOCUMENTED.model_copy(update={"name": "hardened"}),)})
    rows = list(csv.DictReader(io.StringIO(otava([SWARM, void, older]))))
    assert [row["time"] for row in rows] == ["2026-01-01T00:00:00+00:00", PRINT.created]
    assert all(dt.datetime.fromisoformat(row["time"]).tzinfo for row in rows)
    assert rows[0]["hardened.join_ms.p95"] == "9.5"
    assert rows[0]["commit"] == "0123456789ab"
    assert all(float(value) >= 0 for row in rows for name, value in row.items() if name not in {"time", "commit"})


def test_openmetrics() -> None:
    """The parser of OpenMetrics reads it; percentiles are labels, units stand in names."""
    families = {family.name: family for family in text_string_to_metric_families(openmetrics([BENCH]))}
    samples = {sample.labels["quantile"]: sample.value for sample in families["gurukul_join_ms"].samples}
    assert samples == {"0.5": 5.0, "0.95": 9.5, "0.99": 20.0}
    violations = {sample.labels["target"]: sample.value for sample in families["gurukul_violations"].samples}
    assert violations == {"hardened": 0.0, "documented": 7.0}
    assert families["gurukul_requirements_pass"].samples[0].value == 1
    assert families["gurukul_pairs_time_to_connect_ms"].type == "gauge"


def test_junit() -> None:
    """A parser of JUnit reads it; counts agree with the cases; what failed is a failure and says why."""
    report = JUnitXml.fromstring(junit_report(BENCH).encode())
    suites = {suite.name: suite for suite in report}
    assert suites.keys() == {"hardened", "hardened measured", "documented measured"}
    for suite in suites.values():
        results = [result for case in suite for result in case.result]
        assert suite.tests == len(list(suite))
        assert suite.failures == sum(isinstance(result, Failure) for result in results)
        assert suite.skipped == sum(isinstance(result, Skipped) for result in results)
    failed = {case.name for case in suites["hardened measured"] if case.result}
    assert failed == {"matches_per_s>500"}


BADGE: dict[str, Any] = {
    "type": "object", "required": ["schemaVersion", "label", "message"], "additionalProperties": False,
    "properties": {
        "schemaVersion": {"const": 1}, "label": {"type": "string"}, "message": {"type": "string", "minLength": 1},
        "color": {"type": "string"},
    },
}  # fmt: skip
"""The required and the used properties of https://shields.io/badges/endpoint-badge."""


@pytest.mark.parametrize(("run", "color"), [(BENCH, "brightgreen"), (SUITE, "brightgreen")])
def test_badge(run: Any, color: str) -> None:
    """The verdict, in a colour that says the same."""
    found = json.loads(badge([run]))
    Draft202012Validator(BADGE).validate(found)
    assert (found["message"], found["color"]) == (str(run.verdict), color)


def test_markdown() -> None:
    """A heading, the figures, and what is broken; nothing that a target said becomes markup."""
    hostile = SUITE.model_copy(update={"reason": "<img src=x>\n| a |"})
    text = markdown([BENCH.model_copy(update={"conformance": (hostile,), "reason": "<b>"})])
    assert text.startswith("### gurukul bench: valid\n\n&lt;b>\n")
    assert "| hardened | join_ms.p50 | 5 | ms |" in text
    assert "hardened breaks **MM-S2**" in text
