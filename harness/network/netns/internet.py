"""The internet between homes: one router that knows every public address, and swallows what is for none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from itertools import count, islice

from harness.network.nat import NatKind
from harness.network.netns.keeper import Keeper, Namespace
from harness.network.netns.relay import ADDRESSES
from harness.network.netns.rules import nat_rules, timeouts
from harness.network.netns.wires import draw_line, make_host, make_router, swallow_the_rest

_RESERVED = 256  # the first addresses of the public network are for servers


def _addresses(network: str, first: int = 0) -> Iterator[str]:
    return map(str, islice(IPv4Network(network).hosts(), first, None))


@dataclass(slots=True)
class Router:
    """A namespace that forwards, and its devices towards homes so far."""

    namespace: Namespace
    carriers: bool = False
    """Whether what is below it gets carrier-grade addresses (RFC 6598): it is a NAT itself."""
    _ports: Iterator[int] = field(default_factory=count)

    def next_port(self) -> str:
        """The name of a new device."""
        return f"lan{next(self._ports)}"


@dataclass(frozen=True, slots=True)
class End:
    """A host at the end of its line: its namespace and address, the router above it and that router's device."""

    namespace: Namespace
    address: str
    above: Router
    port: str


class Internet:
    """Makes routers and hosts, and gives out addresses; each is unique, also behind NATs.

    Homes that share a private network would take each other's host candidates for their own.

    Raises:
        KeeperRefused: by any call, where the kernel does not do it.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._public = _addresses("198.18.0.0/15", _RESERVED)
        self._carrier = _addresses("100.64.0.0/10")
        self._private = _addresses("10.0.0.0/8")
        self.core = Router(make_router(keeper))
        swallow_the_rest(keeper, self.core.namespace)
        self.servers = make_host(keeper)
        draw_line(keeper, self.core.namespace, "servers", self.servers, ADDRESSES)

    def nat(self, kind: NatKind, above: Router | None = None) -> Router:
        """A NAT of this kind on the internet, or below another. Raises Trouble for a kind that the kernel has not."""
        above = above or self.core
        address = next(self._carrier if above.carriers else self._public)
        rules = nat_rules(kind, address)
        made = Router(make_router(self._keeper), carriers=True)
        draw_line(self._keeper, above.namespace, above.next_port(), made.namespace, [address])
        self._keeper.run(made.namespace, ["nft", "-f", "-"], rules)
        for path, value in timeouts(kind).items():
            self._keeper.write(made.namespace, path, value)
        return made

    def host(self, above: Router) -> End:
        """A host below a router."""
        address = next(self._private if above.carriers else self._public)
        end = End(make_host(self._keeper), address, above, above.next_port())
        draw_line(self._keeper, above.namespace, end.port, end.namespace, [address])
        return end

    def cut(self, end: End) -> None:
        """From now on what a host sends or is sent vanishes, without a word to anybody (a blackhole)."""
        table = f"table ip cut_{end.port}"
        rules = [
            "type filter hook forward priority filter - 10;",
            f'iifname "{end.port}" drop',
            f'oifname "{end.port}" drop',
        ]
        chain = "\n".join(["chain through {", *rules, "}"])
        self._nft(end.above, f"add {table}\ndelete {table}\n{table} {{\n{chain}\n}}\n")

    def heal(self, end: End) -> None:
        """Undoes `cut`."""
        table = f"table ip cut_{end.port}"
        self._nft(end.above, f"add {table}\ndelete {table}\n")

    def _nft(self, router: Router, rules: str) -> None:
        self._keeper.run(router.namespace, ["nft", "-f", "-"], rules)
