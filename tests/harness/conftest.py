"""What the tests of several rooms need: whether a process is gone."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
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
