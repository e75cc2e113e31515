"""How a benchmark shares the machine: what is measured has one core, and all others do their part on the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def cores_apart() -> tuple[list[int], list[int]]:
    """One core, and the others; the same one twice where there are no others."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[:1], cores[1:] or cores


@contextmanager
def kept_to(cores: list[int]) -> Iterator[None]:
    """This thread, and what it starts meanwhile, keeps to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
