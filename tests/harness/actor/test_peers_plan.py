"""What a run of pairs is asked for, and what it then is."""

import pytest

from harness.actor.peers_plan import HANDSHAKE, HANDSHAKE_OVER_TCP, NETWORKS, PeersPlan
from harness.actor.persona import Persona
from harness.network.nat import Turn


@pytest.mark.parametrize(
    ("plan", "patience"),
    [
        (PeersPlan(), Persona().handshake),
        (PeersPlan(network="vnet"), HANDSHAKE),
        (PeersPlan(network="netns", turns=("none", "udp")), HANDSHAKE),
        (PeersPlan(network="vnet", turns=("none", "tls")), HANDSHAKE_OVER_TCP),
        (PeersPlan(network="vnet", turns=("tcp",), handshake=3.0), 3.0),
    ],
)
def test_peers_are_as_patient_as_their_network_needs(plan: PeersPlan, patience: float):
    """A pair without UDP gathers twice five seconds, which matters where it then has a relay."""
    assert plan.checked().patience == patience


def test_what_nobody_says_suits_the_network():
    """The design document's mix without TURN, so many at once; loopback has neither mix nor NAT."""
    plan = PeersPlan(network="vnet").checked()
    assert (plan.mix and plan.mix.name, plan.arms, plan.at_once) == ("design-doc", (Turn.NONE,), NETWORKS["vnet"])
    assert PeersPlan().mix is None
    assert PeersPlan(concurrency=7).at_once == 7
