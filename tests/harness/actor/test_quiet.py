"""The quiet time at the end."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from harness.actor.quiet import QuietTime
from harness.history.op import Op, Outcome, Via
from harness.history.recorder import Recorder


def recorder(ops: list[Op]) -> Recorder:
    return Recorder(SimpleNamespace(append=ops.append))


async def test_the_drain_lasts_until_the_waiting_have_looked_once_more():
    """The op `drain` ends only when every waiting user has left the waiting block, and `over` is set after it."""
    ops: list[Op] = []
    quiet, record = QuietTime(), recorder(ops)
    looked = asyncio.Event()

    async def waiter() -> None:
        with quiet.waiting():
            await quiet.closing.wait()
            assert not quiet.over.is_set()
            looked.set()

    waiting = asyncio.create_task(waiter())
    await asyncio.sleep(0)
    await quiet.hold(record, 0.01)
    assert looked.is_set()
    assert quiet.over.is_set()
    await waiting
    (drain,) = ops
    assert (drain.op, drain.outcome, drain.via) == ("drain", Outcome.OK, Via.SELF)
    assert drain.t1 - drain.t0 >= 0.01


async def test_with_nobody_waiting_it_just_passes():
    """A drain that nobody waits in is recorded all the same."""
    ops: list[Op] = []
    quiet = QuietTime()
    await quiet.hold(recorder(ops), 0.0)
    assert [op.op for op in ops] == ["drain"]
