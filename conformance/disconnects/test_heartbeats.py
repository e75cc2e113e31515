"""DISC-6: a client that answers pings and beats no more is gone: its partner is told."""

from __future__ import annotations

from conformance.disconnects.calls import breach, calls, told
from conformance.outcome import Inconclusive
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.realtime import socket_of

SWEEP = 6.0
"""Seconds by which a silent socket may outstay its time: servers look for them every few seconds."""


@requires("DISC-6")
async def test_disc_6_missing_heartbeats_are_told(trial: Trial) -> None:
    """One member's page hangs: its socket is open, pings are answered below, and no heartbeat comes any more.

    His partner is told when `idle` and then `disconnect` have gone by, and the session is over.
    """
    (call,) = await calls(trial)
    async with socket_of(trial, call.goes) as hung:
        if not (await hung.join(f"session:{call.session.id}")).ok:
            raise Inconclusive("a second socket of the member was not let into his session's channel")
        await trial.vanish(call.goes, "close")
        patience = trial.budgets.idle + SWEEP + trial.budgets.disconnect + trial.budgets.tolerance
        if not await told(call, patience):
            came = f"his partner was told nothing within {patience:.1f} s"
            raise breach(trial, call, sent="sent no heartbeat any more", came=came)
    seen = await call.stays.look(call.session.id)
    if seen is not None and seen.active:
        raise breach(trial, call, sent="sent no heartbeat any more", came="the session is active still")
    trial.vouch()
