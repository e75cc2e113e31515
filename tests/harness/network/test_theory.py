"""What ICE can and cannot connect, against the table that was measured with kernel NATs."""

import pytest

from harness.network.mix import presets
from harness.network.nat import CGN, HOMES, KINDS, Filtering, Mapping, NatKind, Turn, in_a_row
from harness.network.theory import connects, expected_successes, needs_relay, success_rate

UDP_OPEN = ("fullcone", "addrrestricted", "portrestricted", "symmetric")
PUNCH_FAILS = ({"portrestricted", "symmetric"}, {"symmetric"})


@pytest.mark.parametrize("one", UDP_OPEN)
@pytest.mark.parametrize("other", UDP_OPEN)
def test_hole_punching_fails_where_a_strict_filter_meets_a_dependent_mapping(one, other):
    """Two peers with UDP need a relay exactly when one is symmetric and the other symmetric or port-restricted."""
    assert needs_relay(KINDS[one], KINDS[other]) is ({one, other} in PUNCH_FAILS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_udp_blocked_peer_needs_a_relay_over_tcp(kind):
    """Without UDP nothing connects but through TURN over TCP or TLS; behind 443 alone, only over TLS."""
    blocked, confined, partner = KINDS["udpblocked"], KINDS["tcp443only"], KINDS[kind]
    assert [connects(blocked, partner, turn) for turn in Turn] == [False, False, kind != "tcp443only", True]
    assert [connects(partner, confined, turn) for turn in Turn] == [False, False, False, True]


@pytest.mark.parametrize("turn", Turn)
@pytest.mark.parametrize("one", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_who_offers_does_not_matter(one, other, turn):
    """The theory is symmetric."""
    assert connects(KINDS[one], KINDS[other], turn) is connects(KINDS[other], KINDS[one], turn)


def test_a_symmetric_mapping_without_a_filter_lets_its_partner_in():
    """The address that STUN showed stays open to everyone, so that a cone's checks arrive there."""
    open_door = NatKind("open", mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT, filtering=Filtering.ENDPOINT_INDEPENDENT)
    assert not needs_relay(open_door, KINDS["addrrestricted"])
    assert needs_relay(open_door, KINDS["portrestricted"])


@pytest.mark.parametrize(
    ("preset", "without", "with_udp"),
    [
        ("tailscale-like", 8.2, 2.0),
        ("design-doc", 12.6, 4.0),
        ("twilio", 15.4, 4.9),
        ("callstats-2015", 21.7, 5.9),
        ("libp2p", 29.9, 5.9),
    ],
)
def test_the_presets_fail_as_often_as_their_sources_say(preset, without, with_udp):
    """Failure rates in per cent: with STUN alone, with TURN over UDP, and none with TURN over TCP."""
    shares = presets()[preset].shares
    failures = [round(100 * (1 - success_rate(shares, turn)), 1) for turn in (Turn.NONE, Turn.UDP, Turn.TCP)]
    assert failures == [without, with_udp, 0.0]


def test_the_rate_is_that_of_many_drawn_pairs():
    """A large draw connects as often as the shares say, and the closed formula agrees."""
    mix = presets()["libp2p"]
    drawn = mix.draw(1, 20_000)
    assert expected_successes(drawn, Turn.NONE) / 20_000 == pytest.approx(success_rate(mix.shares, Turn.NONE), abs=0.01)
    symmetric, strict, blocked = 0.2, 0.5, 0.03
    failing = 1 - (1 - blocked) ** 2 + symmetric**2 + 2 * symmetric * strict
    assert 1 - success_rate(mix.shares, Turn.NONE) == pytest.approx(failing)


def test_nats_in_a_row_are_as_strict_as_the_strictest():
    """Double NAT: the most dependent mapping, the strictest filter, ports that all of them let through."""
    assert in_a_row(HOMES["cgn"]).mapping is Mapping.ENDPOINT_INDEPENDENT
    assert in_a_row(HOMES["cgn-symmetric"]).mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT
    both = in_a_row((KINDS["fullcone"], KINDS["tcp443only"], CGN))
    assert (both.udp, both.tcp_ports, both.filtering) == (False, {80, 443}, Filtering.ADDRESS_AND_PORT_DEPENDENT)
    assert not needs_relay(in_a_row(()), KINDS["symmetric"])
