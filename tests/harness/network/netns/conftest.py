"""The kernel network of the tests; a machine that cannot have one runs those of the rules and of `missing` alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from harness.network.netns.lab import KernelLab
from harness.network.netns.need import missing

WHY_NOT = missing()
collect_ignore = ["test_keeper.py", "test_lab.py", "test_pairs.py"] if WHY_NOT else []


@pytest.fixture
def why_not() -> str:
    """Why this machine cannot have the kernel network; empty when it can."""
    return WHY_NOT


@pytest.fixture
async def lab() -> AsyncIterator[KernelLab]:
    """A kernel network of the test's own."""
    async with KernelLab() as made:
        yield made
