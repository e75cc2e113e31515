"""Routers and hosts as network namespaces, and the lines between them.

Every line is a pair of devices with one address at its lower end and a route to it at its upper end, as a provider does
it; there is no bridge, so that nobody answers for others (a proxy's ARP delay, `neigh proxy_delay`, would add up to
0.8 s to a first packet). The upper end's address is one of a kind, too: a router answers no ARP request that comes from
an address which it has itself (a martian), and its neighbour would lose it as soon as its first entry is stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

from harness.network.netns.keeper import Keeper, Namespace

_LINK_LOCAL = IPv4Network("169.254.0.0/16")
_IPV6 = "/proc/sys/net/ipv6/conf/{}/disable_ipv6"


def make_host(keeper: Keeper) -> Namespace:
    """A namespace that is a host: IPv4 alone, and no line yet."""
    made = keeper.namespace()
    if Path(_IPV6.format("all")).exists():
        for which in ("all", "default"):
            keeper.write(made, _IPV6.format(which), "1")
    return made


def make_router(keeper: Keeper) -> Namespace:
    """A host that forwards, and takes packets from whatever side they come."""
    made = make_host(keeper)
    keeper.write(made, "/proc/sys/net/ipv4/ip_forward", "1")
    for which in ("all", "default"):
        keeper.write(made, f"/proc/sys/net/ipv4/conf/{which}/rp_filter", "0")
    return made


def draw_line(keeper: Keeper, upper: Namespace, port: str, lower: Namespace, addresses: Sequence[str]) -> str:
    """A line from device `port` of `upper` down to device `wan` of `lower`, which gets these addresses.

    Returns the address of the upper end, which is on that line alone (link-local).
    """
    gateway = str(_LINK_LOCAL[lower + 256])  # no two namespaces of a keeper have the same number
    _configure(keeper, upper, [
        f"link add {port} type veth peer name wan netns /proc/self/fd/{lower}",
        f"addr add {gateway}/32 dev {port}", f"link set {port} up",
        *(f"route add {address} dev {port}" for address in addresses),
    ], keep=(lower,))  # fmt: skip
    _configure(keeper, lower, [
        "link set lo up", *(f"addr add {address}/32 dev wan" for address in addresses), "link set wan up",
        f"route add {gateway} dev wan scope link", f"route add default via {gateway} dev wan src {addresses[0]}",
    ])  # fmt: skip
    return gateway


def swallow_the_rest(keeper: Keeper, router: Namespace) -> None:
    """What a router knows no way for vanishes, as in the internet.

    Were it answered (network unreachable), coturn would give up the allocation of a peer that had sent a check to the
    other's private address.
    """
    _configure(keeper, router, ["route add blackhole default"])


def _configure(keeper: Keeper, at: Namespace, lines: Sequence[str], keep: Sequence[Namespace] = ()) -> None:
    keeper.run(at, ["ip", "-batch", "-"], "\n".join(lines) + "\n", keep)
