"""What the longer runs share: one embedded PostgreSQL, and a folder under results/ where each leaves what it found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.lab.postgres import Cluster, embedded_postgres

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running embedded PostgreSQL."""
    with embedded_postgres() as cluster:
        yield cluster


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    """`results/<time>-<test>`: histories, logs and samples stay there."""
    name = request.node.name.removeprefix("test_").replace("[", "-").replace("]", "").replace("_", "-")
    made = ROOT / "results" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"
    made.mkdir(parents=True)
    return made
