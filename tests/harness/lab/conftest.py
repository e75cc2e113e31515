"""What the tests of the lab share: one embedded PostgreSQL."""

from collections.abc import Iterator

import pytest

from harness.lab.postgres import Cluster, embedded_postgres


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running embedded PostgreSQL."""
    with embedded_postgres() as cluster:
        yield cluster
