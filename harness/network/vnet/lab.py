"""The in-process network as a whole: fresh places behind NATs, a STUN and TURN server, and the proof of each NAT."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from harness.errors import Trouble
from harness.network.certificate import certificate_for
from harness.network.discovery import discover
from harness.network.nat import HOMES, TURN_PORT, Discovered, Home, NatKind, Turn, in_a_row
from harness.network.vnet.addresses import AddressPool
from harness.network.vnet.box import NatBox
from harness.network.vnet.credentials import ephemeral
from harness.network.vnet.host import Host
from harness.network.vnet.link import Conditions
from harness.network.vnet.loop import VirtualLoop
from harness.network.vnet.place import VirtualPlace
from harness.network.vnet.realm import Realm, World
from harness.network.vnet.relay import PORT
from harness.network.vnet.server import TurnServer

SERVERS = ("203.0.113.10", "203.0.113.11")
"""The addresses of the STUN and TURN server."""
ACCESS = Conditions(delay=0.010)
"""What a home's line is like when nobody says otherwise: 20 ms from one home to another."""
SECRET = "known to all: it never leaves the process"  # noqa: S105
"""Of the TURN server's ephemeral credentials."""
CREDENTIAL_LIFE = 24 * 3600
"""Seconds."""


class VirtualLab:
    """A network inside the process. Needs a `VirtualLoop`; an async context manager.

    Args:
        seed: the same seed, and the same calls, give the same packets at the same times.
        access: what each home's line is like, per direction.
    """

    name = "vnet"

    def __init__(self, seed: int = 0, access: Conditions = ACCESS) -> None:
        self.access = access
        self._seed = seed
        self._public = AddressPool("198.18.0.0/15")
        self._carrier = AddressPool("100.64.0.0/10")
        self._private = AddressPool("10.0.0.0/8")
        self._places: dict[VirtualPlace, None] = {}
        self._users = 0

    async def __aenter__(self) -> Self:
        """Opens the STUN and TURN server. Raises Trouble on another kind of event loop."""
        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            raise Trouble("the virtual network needs an event loop of its own", "run it with harness.network.vnet.loop")
        self._check(self.access, loop)
        self._loop = loop
        self.world = World(loop, Random(self._seed))
        self.internet = Realm(self.world)
        serving, loop.trusted = _contexts(SERVERS[0])
        self.server_host = Host(self.internet, SERVERS, Conditions())
        self.server = TurnServer(self.server_host, SECRET, serving)
        self.server.open(loop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for place in list(self._places):
            place.close()
        self.server.close()
        self.server_host.close()
        await asyncio.sleep(0)  # closed sockets tell their protocols at the loop's next turn

    @property
    def relayed_bytes(self) -> int:
        """Payload bytes that the relay carried so far, both ways."""
        return self.server.relay.relayed_bytes

    def place(
        self,
        kind: NatKind | Home,
        turn: Turn,
        *,
        within: Realm | None = None,
        access: Conditions | None = None,
    ) -> VirtualPlace:
        """A fresh host behind a NAT of this kind, or behind several in a row, with the servers of this arm.

        Args:
            kind: one kind, or a whole way out (empty: a host with a public address).
            turn: how it may reach the relay.
            within: the realm that its outermost NAT is in; see `carrier`. Without: the internet.
            access: what its line is like, where it differs from the others'.

        Raises:
            Trouble: packets are to be lost while the clock is virtual.
        """
        conditions = access or self.access
        self._check(conditions, self._loop)
        realm = outside = within or self.internet
        boxes: list[NatBox] = []
        for nat in reversed(kind if isinstance(kind, tuple) else (kind,)):
            boxes.insert(0, self._box(nat, realm, conditions if realm is outside else None))
            realm = boxes[0].inside
        pool = self._private if boxes else self._pool(outside)
        host = Host(realm, (pool.take(),), None if boxes else conditions)
        place = VirtualPlace(host, boxes, self._ice_servers(turn), self._leave)
        self._places[place] = None
        return place

    def carrier(self, kind: NatKind) -> Realm:
        """The inside of a carrier's NAT that several places may share."""
        return self._box(kind, self.internet, self.access).inside

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

    # ------------------------------------------------------------ inside

    async def _asked(self, home: Home) -> Discovered:
        with self.place(home, Turn.NONE) as place, place.attached():
            return await discover((SERVERS[0], PORT), hairpin=True, tcp_ports=set(TURN_PORT.values()))

    def _box(self, kind: NatKind, outside: Realm, conditions: Conditions | None) -> NatBox:
        return NatBox(kind, outside, self._pool(outside).take(), conditions)

    def _pool(self, realm: Realm) -> AddressPool:
        return self._public if realm is self.internet else self._carrier

    def _leave(self, place: VirtualPlace) -> None:
        del self._places[place]
        for address in (*place.host.addresses, *(box.address for box in place.boxes)):
            next(pool for pool in (self._private, self._public, self._carrier) if address in pool).give_back(address)

    def _ice_servers(self, turn: Turn) -> tuple[dict[str, str], ...]:
        stun = {"urls": f"stun:{SERVERS[0]}:{PORT}"}
        if turn is Turn.NONE:
            return (stun,)
        self._users += 1
        shown = ephemeral(SECRET, f"peer{self._users}", int(self.server.relay.now()) + CREDENTIAL_LIFE)
        scheme, transport = ("turns", "tcp") if turn is Turn.TLS else ("turn", turn.value)
        url = f"{scheme}:{SERVERS[0]}:{TURN_PORT[turn]}?transport={transport}"
        return (stun, {"urls": url, "username": shown.username, "credential": shown.password})

    def _check(self, conditions: Conditions, loop: VirtualLoop) -> None:
        if conditions.loss and not loop.clock.held:
            raise Trouble(
                "packets cannot be lost while the clock is virtual (DTLS waits by the wall)", "use the real clock"
            )


def _contexts(address: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS context with a fresh certificate for this address, and a client's that trusts it alone."""
    certificate = certificate_for((address,))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="gurukul-") as folder:
        file = Path(folder) / "server.pem"
        file.touch(mode=0o600)
        file.write_text(certificate.key + certificate.pem)
        serving.load_cert_chain(file)
    return serving, certificate.trusting()
