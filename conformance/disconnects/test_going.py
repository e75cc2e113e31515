"""DISC-1, DISC-2, DISC-3 and DISC-5: the partner of one who goes is told, and the session's row says so."""

from __future__ import annotations

import asyncio
from typing import Literal

from conformance.disconnects.calls import breach, calls, told
from conformance.outcome import Inconclusive, NotVerified
from conformance.scenario import requires
from conformance.trial import CADENCE, Trial


@requires("DISC-1")
async def test_disc_1_a_closed_tab_is_told(trial: Trial) -> None:
    """One member closes his tab: the other, who asks nothing, is told within `disconnect`, and the session is over."""
    await _is_told(trial, "close", "closed his tab")


@requires("DISC-2")
async def test_disc_2_a_cut_network_is_told(trial: Trial) -> None:
    """One member's network swallows everything, with no word to anybody: the other is told, as in DISC-1."""
    await _is_told(trial, "silent", "was cut off, with his connection half-open,")


async def _is_told(trial: Trial, kind: Literal["close", "silent"], what: str) -> None:
    (call,) = await calls(trial)
    patience = trial.budgets.disconnect + trial.budgets.tolerance
    await trial.vanish(call.goes, kind)
    if not await told(call, patience):
        raise breach(trial, call, sent=what, came=f"his partner was told nothing within {patience:.1f} s")
    seen = await call.stays.look(call.session.id)
    if seen is not None and seen.active:
        raise breach(trial, call, sent=what, came="his partner was told, and the session is active still")
    trial.vouch()


@requires("DISC-3")
async def test_disc_3_hanging_up_is_told(trial: Trial) -> None:
    """One member ends the session: the other, who asks nothing, is told within `notify`."""
    (call,) = await calls(trial)
    if not await call.goes.end(call.session.id):
        raise Inconclusive("the end of the session was not accepted")
    patience = trial.budgets.notify + trial.budgets.tolerance
    if not await told(call, patience):
        raise breach(trial, call, sent="hung up", came=f"his partner was told nothing within {patience:.1f} s")
    trial.vouch()


@requires("DISC-5")
async def test_disc_5_the_row_says_so(trial: Trial) -> None:
    """Of two sessions a member vanishes, by closing and by being cut off: within `disconnect` both rows are ended."""
    rows = trial.stage.rows
    if rows is None:
        raise NotVerified("give database_url, so that the sessions' rows can be looked at")
    closed, cut = made = await calls(trial, 2)
    await asyncio.gather(trial.vanish(closed.goes, "close"), trial.vanish(cut.goes, "silent"))
    loop = asyncio.get_running_loop()
    patience = trial.budgets.disconnect + trial.budgets.tolerance
    deadline, open_calls = loop.time() + patience, list(made)
    while open_calls and loop.time() < deadline:
        await asyncio.sleep(CADENCE)
        open_calls = [call for call in open_calls if not await rows.ended(call.session.id)]
    for call in open_calls:
        came = f"after {patience:.1f} s its row was not ended, or without the time of its end"
        raise breach(trial, call, sent="vanished", came=came)
    trial.vouch()
