"""What the deployment's files say, read as those who use them read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture
def deploy() -> Path:
    """The folder of the deployment's files."""
    return DEPLOY


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of all compose files, by name."""
    found: dict[str, Any] = {}
    for file in sorted(DEPLOY.glob("compose*.yaml")):
        found |= yaml.safe_load(file.read_text())["services"]
    return found


@pytest.fixture
def expressions() -> dict[str, str]:
    """Every PromQL expression of the rules and of the dashboard, by where it stands."""
    found = {}
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]:
        found |= {f"alert {rule['alert']}": rule["expr"] for rule in group["rules"]}
    for panel in json.loads((DEPLOY / "grafana" / "dashboards" / "gurukul.json").read_text())["panels"]:
        for target in panel["targets"]:
            # Grafana puts the length of its step there.
            expr = target["expr"].replace("$__rate_interval", "1m")
            found[f"panel {panel['title']} {target['refId']}"] = expr
    return found
