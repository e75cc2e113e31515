"""MM-S1, MM-L2, MM-L3, MM-L6: what many joins at one moment must not do, judged from one contended load."""

from __future__ import annotations

from conformance.matching.bursts import contended_bursts
from conformance.outcome import Inconclusive
from conformance.scenario import requires
from conformance.trial import Trial


async def _contended(trial: Trial) -> None:
    await trial.stage.share(contended_bursts, trial)
    if not trial.judgement().contended_joins:
        raise Inconclusive("no two users joined at the same time: the target was never raced")


@requires("MM-S1")
async def test_mm_s1_one_session_at_a_time(trial: Trial) -> None:
    """However many join at once, nobody is put into two sessions."""
    await _contended(trial)


@requires("MM-L2")
async def test_mm_l2_no_two_wait_side_by_side(trial: Trial) -> None:
    """However many join at once, no two are left to wait while each could be the other's partner."""
    await _contended(trial)


@requires("MM-L3")
async def test_mm_l3_every_join_is_accounted_for(trial: Trial) -> None:
    """When the burst is over, at most one of those who joined is still waiting."""
    await _contended(trial)


@requires("MM-L6")
async def test_mm_l6_bounded_overtaking(trial: Trial) -> None:
    """In those bursts nobody is passed over for long while later comers are matched.

    Where everybody is matched at once, nobody waits while others are: then nobody was overtaken at all.
    """
    await _contended(trial)
    trial.vouch()
