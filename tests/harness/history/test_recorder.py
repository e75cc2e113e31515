"""The recorder turns each call into exactly one op."""

from __future__ import annotations

import pytest

from harness.history.op import Op, Outcome, Via
from harness.history.recorder import Recorder


class Kept(list[Op]):
    """A sink in memory."""


def a_recorder(*times: float) -> tuple[Recorder, Kept]:
    kept = Kept()
    return Recorder(kept, process="p", seed=9, clock=iter(times).__next__), kept


@pytest.mark.parametrize("end", ["ok", "fail", "info"])
def test_a_call_ends_once(end: str) -> None:
    """The first end counts; later ones change nothing."""
    recorder, kept = a_recorder(1.0, 2.0, 3.0)
    call = recorder.begin("u", "d", "poll", Via.POLL, due=0.5, session=None)
    op = getattr(call, end)(status=1)
    call.info(status=2)
    assert kept == [op]
    assert (op.t0, op.t1, op.due, op.seed, op.n) == (1.0, 2.0, 0.5, 9, 1)
    assert op.outcome == Outcome(end)
    assert op.value == {"session": None, "status": 1}


def test_an_answer_and_an_error_decide_the_outcome() -> None:
    """The HTTP status, or the exception, decides; what it was is kept."""
    recorder, kept = a_recorder(1.0, 2.0, 3.0, 4.0)
    recorder.begin("u", "d", "join", Via.HTTP).answered(429)
    recorder.begin("u", "d", "join", Via.HTTP).broke(TimeoutError("too slow"))
    assert [(op.outcome, op.value) for op in kept] == [
        (Outcome.FAIL, {"status": 429}), (Outcome.INFO, {"error": "TimeoutError: too slow"}),
    ]  # fmt: skip


def test_a_sight_has_no_length() -> None:
    """What was seen is an op that is ok."""
    recorder, kept = a_recorder(1.0, 1.0)
    recorder.saw("u", "d", "told", Via.WS, id="s", by="update")
    assert [(op.op, op.outcome, op.value) for op in kept] == [("told", Outcome.OK, {"id": "s", "by": "update"})]


def test_calls_that_never_came_back() -> None:
    """At the end they are written as info without an end, and only once."""
    recorder, kept = a_recorder(1.0)
    recorder.begin("u", "d", "join", Via.HTTP)
    recorder.close()
    recorder.close()
    assert [(op.outcome, op.t1) for op in kept] == [(Outcome.INFO, None)]
