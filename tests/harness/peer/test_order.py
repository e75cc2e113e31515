"""The numbers of signals as they came."""

from __future__ import annotations

import pytest

from harness.peer.order import Order


@pytest.mark.parametrize(
    ("seqs", "missing", "repeated", "late"),
    [
        ((), [], [], []),
        ((1, 2, 3), [], [], []),
        ((2, 4), [1, 3], [], []),
        ((1, 3, 2), [], [], [2]),
        ((1, 2, 2, 1), [], [2, 1], []),
        ((None, None), [], [], []),
    ],
)
def test_what_is_missing_repeated_or_late(seqs, missing, repeated, late):
    """Each number that did not come, came twice or came behind a higher one; no number, no blame."""
    order = Order()
    for seq in seqs:
        order.note(seq)
    assert (order.missing, order.repeated, order.late) == (missing, repeated, late)


def test_disorder_is_counted():
    """Only what was out of order is told."""
    order = Order()
    for seq in (1, 2):
        order.note(seq)
    assert order.disorder() == {}
    for seq in (5, 4, 4):
        order.note(seq)
    assert order.disorder() == {"missing": 1, "repeated": 1, "late": 1}
