"""What nftables must be told so that a router is a NAT of a given kind; pure text.

A router has one device `wan` towards the internet and devices `lan…` towards its homes. Linux's own NAT keeps the
source port where it can and lets in what was sent to, endpoint by endpoint: that is endpoint-independent mapping with
address-and-port-dependent filtering (RFC 4787). Wider filtering learns mappings and permissions in maps of its own.
"""

from __future__ import annotations

from harness.errors import Trouble
from harness.network.nat import Filtering, Mapping, NatKind

TABLE = "gurukul"
_FRESH = f"table ip {TABLE}\ndelete table ip {TABLE}\n"


def nat_rules(kind: NatKind, wan: str) -> str:
    """The ruleset of a router of this kind and address, for `nft -f -`; it takes the place of an earlier one.

    Port preservation is what Linux does wherever the mapping is endpoint-independent; a pool of ports is not to be had
    there, and nobody outside can tell.

    Raises:
        Trouble: the kernel has no such NAT.
    """
    _require_possible(kind)
    life = f"{kind.mapping_life:.0f}s"
    chains = [
        *(_learned_mappings(life) if _learns_mappings(kind) else []),
        *(_permissions(life) if kind.filtering is Filtering.ADDRESS_DEPENDENT else []),
        _chain("translate", "type nat hook postrouting priority srcnat;", _source_nat(kind, wan)),
        # What comes unasked must vanish here. Were it accepted, conntrack would hold its endpoints, and what is later
        # sent the other way would leave from another port: the NAT would turn symmetric for that peer.
        _chain("to_us", "type filter hook input priority filter; policy accept;", ['iifname "wan" drop']),
        _chain("through", "type filter hook forward priority filter; policy drop;", _forwarded(kind)),
    ]
    return _FRESH + f"table ip {TABLE} {{\n" + "\n".join(chains) + "\n}\n"


def timeouts(kind: NatKind) -> dict[str, str]:
    """How long UDP mappings stay, as the kernel's parameters: path and value (seconds)."""
    seconds = f"{kind.mapping_life:.0f}"
    return {f"/proc/sys/net/netfilter/nf_conntrack_udp_{name}": seconds for name in ("timeout", "timeout_stream")}


def _require_possible(kind: NatKind) -> None:
    dependent = kind.mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT
    if kind.mapping is Mapping.ADDRESS_DEPENDENT or (
        dependent and kind.filtering is not Filtering.ADDRESS_AND_PORT_DEPENDENT
    ):
        raise Trouble(
            f"the kernel has no NAT of the kind {kind.name} ({kind.mapping} mapping, {kind.filtering} filtering)",
            "use the network vnet for it",
        )
    if dependent and kind.hairpin:
        raise Trouble(f"the kernel has no hairpinning for the kind {kind.name}", "use the network vnet for it")


def _learns_mappings(kind: NatKind) -> bool:
    return kind.udp and (kind.filtering is not Filtering.ADDRESS_AND_PORT_DEPENDENT or kind.hairpin)


def _learned_mappings(life: str) -> list[str]:
    """Remembers whose external port is whose, and sends what comes to it there."""
    learn = (
        'oifname "wan" meta l4proto udp update @mapping { udp sport : ct original ip saddr . ct original proto-src }'
    )
    return [
        f"  map mapping {{ type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout {life}; }}",
        _chain("learn", "type filter hook postrouting priority srcnat + 10;", [learn]),
        _chain("back", "type nat hook prerouting priority dstnat;", [
            'iifname "wan" meta l4proto udp dnat ip to udp dport map @mapping',
            "fib daddr type local meta l4proto udp dnat ip to udp dport map @mapping",  # hairpinning: from within
        ]),
    ]  # fmt: skip


def _permissions(life: str) -> list[str]:
    """Remembers which hosts an internal endpoint has sent to."""
    return [f"  set permitted {{ type ipv4_addr . ipv4_addr . inet_service; flags dynamic,timeout; timeout {life}; }}"]


def _source_nat(kind: NatKind, wan: str) -> list[str]:
    rules = ['oifname "wan" masquerade']
    if kind.mapping is Mapping.ADDRESS_AND_PORT_DEPENDENT:
        rules.insert(0, 'oifname "wan" meta l4proto udp masquerade fully-random')
    if kind.hairpin:  # the device that it came from is not known here; that it was sent back is
        rules.append(f'oifname "lan*" ct status dnat snat to {wan}')
    return rules


def _forwarded(kind: NatKind) -> list[str]:
    out = 'iifname "lan*" oifname "wan"'
    rules = [] if kind.udp else ["meta l4proto udp drop"]
    if kind.filtering is Filtering.ADDRESS_DEPENDENT:
        rules.append(f"{out} meta l4proto udp update @permitted {{ ip daddr . ip saddr . udp sport }}")
    if kind.tcp_ports is None:
        rules.append(f"{out} accept")
    else:
        ports = ", ".join(str(port) for port in sorted(kind.tcp_ports))
        rules += [f"{out} tcp dport {{ {ports} }} accept", f"{out} meta l4proto udp accept"]
    rules.append("ct state established,related accept")
    if kind.filtering is Filtering.ENDPOINT_INDEPENDENT:
        rules.append('iifname "wan" ct status dnat accept')
    elif kind.filtering is Filtering.ADDRESS_DEPENDENT:
        rules.append('iifname "wan" ct status dnat ip saddr . ip daddr . udp dport @permitted accept')
    if kind.hairpin:
        rules.append('iifname "lan*" oifname "lan*" ct status dnat accept')
    return rules


def _chain(name: str, hook: str, rules: list[str]) -> str:
    return "\n".join([f"  chain {name} {{", *(f"    {line}" for line in [hook, *rules]), "  }"])
