"""Loss, jitter and the estimate of speech."""

from __future__ import annotations

import pytest

from harness.peer.quality import Quality, Receipt, mean_opinion_score


def received(*numbers: int) -> Receipt:
    """Packets of 20 ms that came exactly when they were due."""
    receipt = Receipt(48_000)
    for number in numbers:
        receipt.note(number % 65_536, number * 960 % 2**32, number * 0.02)
    return receipt


@pytest.mark.parametrize(
    ("numbers", "expected", "lost", "gaps", "repeated", "reordered"),
    [
        ((), 0, 0, 0, 0, 0),
        ((7,), 1, 0, 0, 0, 0),
        ((1, 2, 3, 4), 4, 0, 0, 0, 0),
        ((1, 2, 5, 6, 9), 9, 4, 2, 0, 0),
        ((1, 3, 2, 4), 4, 0, 1, 0, 1),
        ((1, 1, 2, 2), 2, 0, 0, 2, 0),
        ((5, 4, 6), 3, 0, 0, 0, 1),
        ((65_534, 65_535, 65_536, 65_538), 5, 1, 1, 0, 0),
        ((65_535, 65_537, 65_536), 3, 0, 1, 0, 1),
    ],
)
def test_packets_are_counted_by_number(numbers, expected, lost, gaps, repeated, reordered):
    """Loss is what is missing between the first and the last, over any wrap-around (RFC 3550 A.1, A.3)."""
    receipt = received(*numbers)
    assert (receipt.expected, receipt.lost) == (expected, lost)
    assert (receipt.gaps, receipt.repeated, receipt.reordered) == (gaps, repeated, reordered)


def test_regular_packets_have_no_jitter():
    """What comes at its own pace has none, even as the timestamp wraps."""
    assert received(*range(2**32 // 960 - 3, 2**32 // 960 + 3)).jitter == pytest.approx(0, abs=1e-6)


def test_jitter_is_that_of_the_standard():
    """J += (|D| - J) / 16 for each packet (RFC 3550 section 6.4.1)."""
    receipt, jitter = Receipt(8000), 0.0
    for number, late in enumerate((0.0, 0.004, 0.0, 0.002)):
        receipt.note(number, number * 160, number * 0.02 + late)
    for change in (0.004, 0.004, 0.002):
        jitter += (change - jitter) / 16
    assert receipt.jitter == pytest.approx(jitter)


def test_packets_of_one_picture_count_once():
    """Packets that share a timestamp are sent in a row: their distance is no jitter."""
    receipt = Receipt(90_000)
    for number in range(20):
        receipt.note(number, number // 4 * 6000, number // 4 * (6000 / 90_000) + number % 4 * 0.001)
    assert receipt.jitter == pytest.approx(0)


@pytest.mark.parametrize(
    ("rtt", "jitter", "loss", "score"),
    [(0.0, 0.0, 0.0, 4.404), (0.1, 0.01, 0.0, 4.342), (0.3, 0.02, 0.02, 3.365), (1.0, 0.1, 0.2, 1.0)],
)
def test_the_formula(rtt, jitter, loss, score):
    """Worked by hand from the formula in the docstring."""
    assert mean_opinion_score(rtt, jitter, loss) == pytest.approx(score, abs=0.01)


def test_no_score_without_all_three():
    """What was not measured is not estimated."""
    assert Quality(0.1, 0.01).mos is None
    assert Quality(0.1, 0.01, 0.0).mos is not None
