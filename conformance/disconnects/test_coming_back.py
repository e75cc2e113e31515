"""DISC-4: whoever is back at once finds his session as he left it, and his partner was told of no end."""

from __future__ import annotations

import asyncio

from conformance.disconnects.calls import Call, breach, calls, told
from conformance.outcome import Inconclusive
from conformance.scenario import requires
from conformance.trial import Trial
from harness.client.participant import Participant

AWAY = 0.3
"""Seconds that a page takes to load again, or a telephone to change its network."""
_LATEST = 8
"""A user is back at once within this part of the `disconnect` budget."""


@requires("DISC-4")
async def test_disc_4_back_at_once(trial: Trial) -> None:
    """One member reloads his page, one changes his network: both open a new socket at once, and the call goes on.

    For as long as a loss may take to be told nothing is told; then signals still go both ways.
    """
    reloaded, moved = made = await calls(trial, 2)
    await trial.vanish(reloaded.goes, "close")
    await trial.vanish(moved.goes, "silent")
    loop = asyncio.get_running_loop()
    gone = loop.time()
    await asyncio.sleep(AWAY)
    back = await asyncio.gather(*(_again(trial, call) for call in made))
    if loop.time() - gone > max(2 * AWAY, trial.budgets.disconnect / _LATEST):
        raise Inconclusive(f"we were held up ourselves: it took {loop.time() - gone:.1f} s to come back")
    await asyncio.gather(*(_goes_on(trial, call, member) for call, member in zip(made, back, strict=True)))
    trial.vouch()


async def _again(trial: Trial, call: Call) -> Participant:
    """The same user, by a socket of his own page's successor."""
    back = await trial.enter("d2", identity=call.goes.account)
    await back.connect()
    await back.signalling(call.session).open()
    return back


async def _goes_on(trial: Trial, call: Call, back: Participant) -> None:
    patience = trial.budgets.disconnect + trial.budgets.tolerance
    if await told(call, patience):
        raise breach(trial, call, sent="came back at once", came="his partner was told that the session is over")
    for sender, receiver in ((back, call.stays), (call.stays, back)):
        await sender.signalling(call.session).send("ice-candidate", candidate=None)
        try:
            await receiver.signalling(call.session).receive(trial.budgets.notify + trial.budgets.tolerance)
        except TimeoutError:
            way = "from him" if sender is back else "to him"
            raise breach(
                trial, call, sent="came back at once", came=f"a signal {way} did not arrive any more"
            ) from None
