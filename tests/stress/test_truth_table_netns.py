"""Kernel NATs and coturn: every pair of kinds with every way to a relay does what theory says, cell by cell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import combinations_with_replacement

import pytest

from harness.network.mix import presets
from harness.network.nat import KINDS, Turn
from harness.network.netns.lab import KernelLab
from harness.network.theory import connects
from tests.harness.network.netns.pair import all_tried, be_brief

AT_ONCE = 12
PAIRS = 200


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    be_brief(monkeypatch)


@pytest.fixture
async def lab() -> AsyncIterator[KernelLab]:
    """A kernel network whose NATs have proven what they are."""
    async with KernelLab() as made:
        await made.prove()
        yield made


async def test_the_truth_table(lab: KernelLab) -> None:
    """All pairs of kinds, without a relay and with one over UDP, TCP and TLS."""
    cases = [(*pair, turn) for turn in Turn for pair in combinations_with_replacement(KINDS.values(), 2)]
    attempts = await all_tried(lab, cases, AT_ONCE)
    due = [connects(*case) for case in cases]
    assert not [attempt for attempt, meets in zip(attempts, due, strict=True) if attempt.connected is not meets]


async def test_two_hundred_pairs_of_a_mix_in_three_arms(lab: KernelLab) -> None:
    """Pairs drawn from the design document's mix, each without a relay, over UDP and over TCP: no contradiction."""
    pairs = presets()["design-doc"].draw(1, PAIRS)
    cases = [(*pair, turn) for pair in pairs for turn in (Turn.NONE, Turn.UDP, Turn.TCP)]
    attempts = await all_tried(lab, cases, 40)
    due = [connects(*case) for case in cases]
    assert not [attempt for attempt, meets in zip(attempts, due, strict=True) if attempt.connected is not meets]
    assert all(attempt.connected for attempt in attempts if attempt.turn is Turn.TCP)
