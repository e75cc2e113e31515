"""The bounds of a clock's offset: the truth always lies within, and they are no wider than they must be."""

from __future__ import annotations

import random

import pytest

from harness.history.offset import SLEW, Offset


def asked(offset: Offset, rng: random.Random, truth: float, drift: float, seconds: float) -> list[float]:
    """Questions every quarter of a second over a line that is slow now and then; the true offsets at those times."""
    truths, at = [], 0.0
    while at < seconds:
        there, back = (0.0002 + rng.expovariate(1 / 0.005) * (rng.random() < 0.2) for _ in range(2))
        at += 0.25
        truths.append(truth + drift * (at + there))
        offset.heard(at, at + there + truths[-1], at + there + back)
    return truths


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("drift", [0.0, 50e-6, -SLEW])
def test_the_truth_lies_within(seed: int, drift: float) -> None:
    """Whatever the delays and their asymmetry, and though one clock runs faster than the other."""
    offset = Offset()
    truths = asked(offset, random.Random(seed), -5000.0, drift, 59.7)
    clock = offset.clock("host-b")
    assert clock is not None
    assert all(abs(truth - clock.offset) <= clock.error for truth in truths)
    assert clock.error <= abs(drift) * 60 / 2 + 0.004


def test_a_slow_answer_widens_nothing_beside_a_fast_one() -> None:
    """Within a window the shortest round trip counts, whichever comes first."""
    offset = Offset()
    assert offset.clock("b") is None
    offset.heard(0.0, 10.5, 1.0)
    offset.heard(1.0, 11.0, 1.002)
    offset.heard(1.1, 12.0, 1.9)
    clock = offset.clock("b")
    assert clock is not None
    assert (clock.offset, clock.error) == pytest.approx((9.999, 0.001 + 2 * SLEW))
