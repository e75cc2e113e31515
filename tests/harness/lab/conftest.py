"""What the tests of the lab share: one embedded PostgreSQL, and a way to see that a process has ended."""

import os
import select
from collections.abc import Callable, Iterator

import pytest

from harness.lab.postgres import Cluster, embedded_postgres


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running embedded PostgreSQL."""
    with embedded_postgres() as cluster:
        yield cluster


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Says whether a process ends within some seconds (one that nobody has reaped yet has ended)."""

    def check(pid: int) -> bool:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([handle], [], [], 20)[0])
        finally:
            os.close(handle)

    return check
