"""MM-L4: who waits and shows life stays in the queue, and who is dropped can learn of it."""

from __future__ import annotations

import asyncio

from conformance.outcome import broken
from conformance.scenario import requires
from conformance.trial import CADENCE, Trial
from harness.checkers.telling import short
from harness.client.participant import Participant

QUIET = 0.2
"""The part of the TTL for which a waiter says nothing between two polls."""


@requires("MM-L4")
async def test_mm_l4_a_dropped_waiter_learns_of_it(trial: Trial) -> None:
    """A user waits for longer than the TTL and polls all the while; then another joins. They meet, or he is told.

    Where the entry of a silent user can be aged in the rows, he is dropped, asks, and is told so.
    """
    waiter, newcomer, silent = await trial.crowd(3)
    async with trial.queue():
        await waiter.join()
        await _show_life(trial, waiter)
        await newcomer.join()
        seen = await trial.observe([newcomer, waiter], 2 * trial.patience)
        if len(seen) < 2:
            for _ in range(2):
                await waiter.status()
                await waiter.poll()
                await newcomer.poll()
                await asyncio.sleep(trial.budgets.notify)
            await waiter.status()
        await trial.retire([waiter, newcomer])
        if trial.stage.rows is not None and not trial.check().findings:
            await _dropped(trial, silent, newcomer)


async def _show_life(trial: Trial, waiter: Participant) -> None:
    """Polls until an entry that counts from the join is certainly too old."""
    loop = asyncio.get_running_loop()
    crossed = loop.time() + trial.budgets.queue_ttl + 2 * trial.budgets.tolerance
    while loop.time() < crossed:
        await waiter.poll()
        left = crossed - loop.time()
        await asyncio.sleep(max(0.0, min(left, max(CADENCE, QUIET * trial.budgets.queue_ttl))))


async def _dropped(trial: Trial, silent: Participant, newcomer: Participant) -> None:
    """An entry that outlived its time is passed over; its user asks, and may not be told that all is well."""
    await silent.join()
    if not await trial.grow_old(silent):
        return
    await newcomer.join()
    seen = await trial.observe([newcomer], trial.patience)
    await newcomer.leave()
    state = await silent.status()
    if not seen and state not in {"expired", "waiting"}:
        raise broken(
            "MM-L4",
            sent=f"the entry of user {short(silent.user)} was set back beyond its time to live, then another joined",
            came=f"he was passed over, and asking where he stands he was told {state or 'nothing'}",
            users=(silent.user, newcomer.user),
            witness=[op for op in trial.ops if op.user in {silent.user, newcomer.user} and op.op in {"join", "status"}],
        )
