"""The kernel network as a whole: fresh places behind kernel NATs, coturn, and the proof of each NAT.

A child process owns the namespaces (keeper.py), with root's powers in a user namespace of its own where the machine
allows that, so that neither `gurukul` nor its user needs any. A place that was closed is lent again to the next peer
with such a way out, since it takes some 60 ms to build one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from types import TracebackType
from typing import Self

from harness.errors import Trouble
from harness.network.discovery import discover
from harness.network.nat import HOMES, TURN_PORT, Discovered, Home, NatKind, Turn, in_a_row
from harness.network.netns.internet import End, Internet, Router
from harness.network.netns.keeper import Keeper, KeeperRefused
from harness.network.netns.need import missing
from harness.network.netns.place import KernelPlace
from harness.network.netns.relay import ADDRESSES, STUN_PORT, CoturnRelay
from harness.network.netns.sockets import Host, taking_sockets_there

CREDENTIAL_LIFE = 24 * 3600
"""Seconds."""
_INSTEAD = "use the network vnet"


class KernelLab:
    """Kernel NATs in network namespaces; an async context manager, for the event loop that enters it.

    Entering takes about half a second, and a place that must be built some 60 ms; both block.
    """

    name = "netns"

    async def __aenter__(self) -> Self:
        """Builds the internet and starts coturn. Raises Trouble where the machine cannot; `missing()` says so, too."""
        if why := missing():
            raise Trouble(f"this machine cannot have the kernel network: {why}", _INSTEAD)
        self._free: defaultdict[Home, list[End]] = defaultdict(list)
        self._users = count(1)
        with _told(), ExitStack() as undo:
            self._keeper = Keeper()
            undo.callback(self._keeper.close)
            self._internet = Internet(self._keeper)
            self.relay = CoturnRelay(self._keeper, self._internet.servers)
            self._trust = self.relay.certificate.trusting()
            undo.enter_context(taking_sockets_there(asyncio.get_running_loop()))
            self._undo = undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    @property
    def relayed_bytes(self) -> int:
        """Payload bytes that the relay carried so far, both ways. Asked for inside the context alone."""
        with _told():
            return self.relay.relayed_bytes

    def place(self, kind: NatKind | Home, turn: Turn, *, within: Router | None = None) -> KernelPlace:
        """A host behind a NAT of this kind, or behind several in a row, with the servers of this arm.

        No two open places share a NAT, save those within the same carrier.

        Args:
            kind: one kind, or a whole way out (empty: a host with a public address).
            turn: how it may reach the relay.
            within: the carrier whose NAT its outermost one is behind; see `carrier`. Without: the internet.

        Raises:
            Trouble: the kernel has no such NAT.
        """
        home = kind if isinstance(kind, tuple) else (kind,)
        free = [] if within else self._free[home]
        with _told():
            end = free.pop() if free else self._built(home, within)
        host = Host(self._keeper, end.namespace, end.address, self._trust)
        servers = self.relay.ice_servers(turn, f"peer{next(self._users)}", CREDENTIAL_LIFE)
        return KernelPlace(self._internet, end, host, servers, partial(free.append, end))

    def carrier(self, kind: NatKind) -> Router:
        """A carrier's NAT that several places may share. Raises Trouble for a kind that the kernel has not."""
        with _told():
            return self._internet.nat(kind)

    async def prove(self) -> dict[str, Discovered]:
        """Asks every way out what it is (RFC 5780), by name.

        Raises:
            Trouble: one is not what it says.
        """
        found = dict(zip(HOMES, await asyncio.gather(*map(self._asked, HOMES.values())), strict=True))
        for name, home in HOMES.items():
            if differences := found[name].differences(in_a_row(home, name)):
                raise Trouble(f"a NAT is not what it says: {differences[0]}", "report this: the lab is wrong")
        return found

    async def _asked(self, home: Home) -> Discovered:
        with self.place(home, Turn.NONE) as place, place.attached():
            return await discover((ADDRESSES[0], STUN_PORT), hairpin=True, tcp_ports=set(TURN_PORT.values()))

    def _built(self, home: Home, within: Router | None) -> End:
        router = within or self._internet.core
        for kind in reversed(home):
            router = self._internet.nat(kind, router)
        return self._internet.host(router)


@contextmanager
def _told() -> Iterator[None]:
    """What the keeper refuses is trouble of ours."""
    try:
        yield
    except KeeperRefused as refused:
        raise Trouble(f"the kernel network fails: {refused}", _INSTEAD) from None
