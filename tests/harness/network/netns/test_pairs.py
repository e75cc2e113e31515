"""Unmodified aiortc behind kernel NATs connects where theory says so, by the path that is due, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.network.nat import CGN, KINDS, Turn
from harness.network.netns.lab import KernelLab
from harness.network.theory import connects
from tests.harness.network.netns.pair import all_tried, bare_peer, be_brief, connected, negotiated

DIRECT = [
    ("fullcone", "symmetric", Turn.NONE),
    ("addrrestricted", "symmetric", Turn.NONE),
    ("portrestricted", "portrestricted", Turn.NONE),
]
RELAYED = [
    ("symmetric", "symmetric", Turn.UDP),
    ("portrestricted", "symmetric", Turn.TCP),
    ("tcp443only", "symmetric", Turn.TLS),
]
NEVER = [
    ("portrestricted", "symmetric", Turn.NONE),
    ("udpblocked", "fullcone", Turn.UDP),
    ("tcp443only", "fullcone", Turn.TCP),
]


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    be_brief(monkeypatch)


async def test_a_few_pairs_of_each_sort(lab: KernelLab) -> None:
    """Pairs that need no relay, pairs that do (over UDP, TCP and TLS), and pairs that must fail, side by side.

    The others of the table are tried in tests/stress.
    """
    cases = [(KINDS[one], KINDS[other], turn) for one, other, turn in DIRECT + RELAYED + NEVER]
    attempts = await all_tried(lab, cases, at_once=len(cases))
    assert [attempt.connected for attempt in attempts] == [connects(*case) for case in cases], attempts
    assert all("relay" not in attempt.path for attempt in attempts[: len(DIRECT)]), attempts
    assert all("relay" in attempt.path for attempt in attempts[3:6] if attempt.other == "symmetric"), attempts
    assert lab.relayed_bytes > 3 * 1000  # DTLS alone has more


@pytest.mark.parametrize(("hairpin", "meets"), [(True, True), (False, False)])
async def test_neighbours_behind_one_carrier(lab: KernelLab, hairpin: bool, meets: bool) -> None:
    """Two homes behind the same carrier's NAT meet without a relay if it turns their packets around, and only then."""
    carrier = lab.carrier(replace(CGN, hairpin=hairpin))
    home = (KINDS["portrestricted"],)
    with lab.place(home, Turn.NONE, within=carrier) as here, lab.place(home, Turn.NONE, within=carrier) as there:
        came, _ = await connected(here, there)
    assert came is meets


async def test_credentials_that_are_over_get_no_relay(lab: KernelLab) -> None:
    """coturn takes REST credentials until they expire; aiortc is then left without a relayed candidate."""
    found = []
    with lab.place(KINDS["fullcone"], Turn.UDP) as here, lab.place(KINDS["fullcone"], Turn.UDP) as there:
        here.ice_servers = lab.relay.ice_servers(Turn.UDP, "late", -60)
        offerer, answerer = bare_peer(here), bare_peer(there)
        offerer.createDataChannel("any")
        try:
            await negotiated(offerer, here, answerer, there)
            found = [" typ relay" in peer.localDescription.sdp for peer in (offerer, answerer)]
        finally:
            await offerer.close()
            await answerer.close()
    assert found == [False, True]
