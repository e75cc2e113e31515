"""Alert rules and dashboard: they ask for what the server really tells, and the rules speak when they should."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from harness.lab.server import running_server

OF_PROMETHEUS = {"up": {"job", "instance"}}
"""What Prometheus adds of itself."""
SCRAPED = {"job", "instance"}


def selectors(node: Any) -> Iterator[tuple[str, set[str]]]:
    """The series that an expression asks for, each with the labels that it needs to have."""
    if isinstance(node, promql.VectorSelector):
        yield node.name, {matcher.name for matcher in node.matchers.matchers}
    elif isinstance(node, promql.MatrixSelector):
        yield from selectors(node.vector_selector)
    elif isinstance(node, promql.AggregateExpr):
        labels = set(node.modifier.labels) if node.modifier else set()
        for name, needed in selectors(node.expr):
            yield name, needed | labels
    elif isinstance(node, promql.Call):
        for argument in node.args:
            yield from selectors(argument)
    else:
        for part in ("lhs", "rhs", "expr"):
            yield from selectors(getattr(node, part, None)) if hasattr(node, part) else ()


@pytest.fixture(params=["documented", "hardened"])
async def exported(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> dict[str, set[str]]:
    """The series of a server's /metrics once it has been asked something, each with its labels."""
    async with (
        running_server(request.param, database_url, tmp_path / "server.log") as server,
        aiohttp.ClientSession(server.supabase_url) as session,
    ):
        await session.get("/ready")
        text = await (await session.get("/metrics")).text()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_every_series_is_one_that_the_server_tells(
    exported: dict[str, set[str]], expressions: dict[str, str]
) -> None:
    """Names and labels, of both engines: an alert on a metric that nobody exports would be silent for ever."""
    known = {name: labels | SCRAPED for name, labels in exported.items()} | OF_PROMETHEUS
    wrong = [
        (where, name, needed)
        for where, expr in expressions.items()
        for name, needed in selectors(promql.parse(expr))
        if name not in known or not needed <= known[name]
    ]
    assert wrong == []


def test_selectors_are_found() -> None:
    """The check itself sees names and labels wherever they stand."""
    found = dict(selectors(promql.parse('sum by (le, x) (rate(a_bucket{y="1"}[5m])) / 2 > -max(b{z!="2"})')))
    assert found == {"a_bucket": {"le", "x", "y"}, "b": {"z"}}


def test_the_dashboard_is_one_that_grafana_takes(deploy: Path) -> None:
    """Panels with an id of their own, none over another, all asking the data source that is provisioned."""
    (source,) = yaml.safe_load((deploy / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    panels = json.loads((deploy / "grafana/dashboards/gurukul.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) >= 20
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_every_alert_says_what_to_do(deploy: Path) -> None:
    """Whoever is woken by it reads what is wrong, and a first step."""
    groups = yaml.safe_load((deploy / "prometheus/alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) >= 12
    for rule in rules:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "remedy"}


def test_the_rules_speak_when_they_should(deploy: Path) -> None:
    """Prometheus' own tool evaluates them over series that are well, and over such as are not."""
    promtool = shutil.which("promtool")
    if promtool is None:
        warnings.warn("the alert rules are not evaluated: promtool is not installed (Debian: prometheus)", stacklevel=1)
        return
    for words in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            [promtool, *words], cwd=deploy / "prometheus", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_seen_to_speak(deploy: Path) -> None:
    """No alert without a case in which it fires."""
    groups = yaml.safe_load((deploy / "prometheus/alerts.yml").read_text())["groups"]
    cases = yaml.safe_load((deploy / "prometheus/alerts_test.yml").read_text())["tests"]
    spoken = {test["alertname"] for case in cases for test in case["alert_rule_test"] if test.get("exp_alerts")}
    assert {rule["alert"] for group in groups for rule in group["rules"]} == spoken
