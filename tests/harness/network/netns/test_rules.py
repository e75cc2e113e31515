"""What nftables is told: the traps that cost a false verdict are closed, and what the kernel has not is refused."""

from __future__ import annotations

import pytest

from harness.errors import Trouble
from harness.network.nat import CGN, KINDS, Filtering, Mapping, NatKind
from harness.network.netns.rules import nat_rules, timeouts

WAN = "198.18.1.1"


@pytest.mark.parametrize("kind", [*KINDS.values(), CGN], ids=lambda kind: kind.name)
def test_a_router_keeps_nothing_that_comes_unasked(kind: NatKind) -> None:
    """What comes to the router itself from outside is dropped, and nothing is forwarded unless a rule says so."""
    rules = nat_rules(kind, WAN)
    assert 'iifname "wan" drop' in rules
    assert "hook forward priority filter; policy drop;" in rules


def test_a_symmetric_nat_chooses_ports_by_chance() -> None:
    """Only where the mapping depends on the destination are ports random."""
    assert "fully-random" in nat_rules(KINDS["symmetric"], WAN)
    assert "fully-random" not in nat_rules(KINDS["portrestricted"], WAN)


def test_a_firewall_lets_tcp_to_its_ports_alone() -> None:
    """UDP is dropped, and so is TCP to other ports."""
    rules = nat_rules(KINDS["tcp443only"], WAN)
    assert "meta l4proto udp drop" in rules
    assert "tcp dport { 80, 443 } accept" in rules
    assert 'iifname "lan*" oifname "wan" accept' not in rules


def test_the_way_back_into_the_same_network_has_the_outer_address() -> None:
    """Hairpinning translates the source, too; the device that a packet came by is not known there."""
    rules = nat_rules(CGN, WAN)
    assert f'oifname "lan*" ct status dnat snat to {WAN}' in rules
    assert "iifname" not in rules[rules.index("chain translate") : rules.index("chain to_us")]


def test_mappings_live_as_long_as_the_kind_says() -> None:
    """In the kernel's parameters, and in the maps of learned mappings."""
    kind = NatKind("short", filtering=Filtering.ADDRESS_DEPENDENT, mapping_life=7)
    assert set(timeouts(kind).values()) == {"7"}
    assert nat_rules(kind, WAN).count("timeout 7s") == 2


@pytest.mark.parametrize(
    "kind",
    [
        NatKind("odd", mapping=Mapping.ADDRESS_DEPENDENT),
        NatKind("odd", mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT, filtering=Filtering.ENDPOINT_INDEPENDENT),
        NatKind("odd", mapping=Mapping.ADDRESS_AND_PORT_DEPENDENT, hairpin=True),
    ],
)
def test_what_the_kernel_has_not_is_refused(kind: NatKind) -> None:
    """No NAT is built that is not what it says."""
    with pytest.raises(Trouble, match=r"the kernel has no .* the kind odd.*: use the network vnet for it"):
        nat_rules(kind, WAN)
