"""Pairs of all mixes on the virtual network, judged by the theory of NATs."""

from __future__ import annotations

import gc

import pytest
from aiortc import RTCCertificate

from harness.actor.virtual_pairs import Tally, drawn, run_virtual_pairs
from harness.errors import Trouble
from harness.network import theory
from harness.network.mix import Mix, presets
from harness.network.nat import KINDS, Turn
from harness.peer.stage import Stage

MIXES = list(presets().values())
STRICT = Mix("strict", {KINDS["symmetric"]: 0.6, KINDS["udpblocked"]: 0.4}, "", "")


def test_pairs_are_drawn_by_the_seed_with_mixes_and_arms_in_turn():
    """The same seed draws the same pairs; each mix gets each arm equally often, whatever comes before."""
    pairs = list(drawn(MIXES, list(Turn), 40 * len(MIXES), 7))
    assert pairs == list(drawn(MIXES, list(Turn), 40 * len(MIXES), 7))
    assert pairs != list(drawn(MIXES, list(Turn), 40 * len(MIXES), 8))
    for mix in MIXES:
        assert [pair.turn for pair in pairs if pair.mix == mix.name] == list(Turn) * 10
        assert {kind for pair in pairs if pair.mix == mix.name for kind in (pair.one, pair.other)} <= set(mix.shares)


def test_every_pair_is_as_in_theory():
    """A strict population and a usual one, in all arms: no contradiction; those that fail say at which stage."""
    seen: list[int] = []
    thresholds, maker = gc.get_threshold(), RTCCertificate.__dict__["generateCertificate"]
    tally = run_virtual_pairs(
        [STRICT, MIXES[0]], list(Turn), pairs=48, seed=2, progress=lambda now: seen.append(now.attempted.total())
    )
    assert tally.contradictions == []
    assert (tally.attempted.total(), seen[-1]) == (48, 48)
    assert tally.connected == tally.expected
    assert 0 < tally.connected["strict", Turn.NONE] + tally.relayed < 48
    assert tally.stages.keys() <= {Stage.CONNECTED, Stage.ICE_CHECKS_TIMEOUT, Stage.TURN_UNREACHABLE}
    assert (gc.get_threshold(), RTCCertificate.__dict__["generateCertificate"]) == (thresholds, maker)


@pytest.mark.parametrize("wrong", [True, False])
def test_a_pair_against_theory_is_listed(monkeypatch, wrong):
    """Where theory is told something else, every pair contradicts it."""
    monkeypatch.setattr(theory, "connects", lambda one, other, turn: wrong is not (one.udp and other.udp))
    tally = run_virtual_pairs([Mix("cone", {KINDS["fullcone"]: 1.0}, "", "")], [Turn.NONE], pairs=2, seed=1)
    assert len(tally.contradictions) == 2 * wrong
    assert all(one.stage is Stage.CONNECTED and not one.pair.expected for one in tally.contradictions)


@pytest.mark.parametrize(("pairs", "mixes", "turns"), [(0, MIXES, list(Turn)), (1, [], list(Turn)), (1, MIXES, [])])
def test_nothing_to_try_is_trouble(pairs, mixes, turns):
    """It says what to ask for."""
    with pytest.raises(Trouble, match="no pairs are no run: ask for at least one pair, one mix and one arm"):
        run_virtual_pairs(mixes, turns, pairs=pairs, seed=1, progress=lambda _: Tally())
