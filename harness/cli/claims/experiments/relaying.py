"""What one coturn on this machine's loopback carries: allocations at once, and bytes for its processor time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import psutil

from harness.cli.claims.claim import Place
from harness.errors import Trouble
from harness.lab.coturn import ADDRESS, PROGRAM, running_coturn
from harness.peer.turn_probe import TurnProbe, TurnServer

USERS = 500
_PACKET = bytes(1200)
_BATCH = 16
_FLOWS = 8
_LIFETIME = 600


@dataclass(frozen=True)
class RelayFacts:
    """Rates in megabits per second; `cores` is what coturn took of processors meanwhile."""

    users: int
    allocated: int
    carried_mbit_per_s: float
    cores: float

    @property
    def mbit_per_s_on_two_cores(self) -> float:
        """By linear extrapolation."""
        return 2 * self.carried_mbit_per_s / self.cores if self.cores else 0.0


async def relaying(place: Place) -> RelayFacts:
    """Takes 500 allocations, and then sends through some of them as fast as this process can."""
    users = place.size(USERS, 100)
    async with (
        running_coturn(place.folder.logs / f"coturn-relay-{place.engine}.log") as coturn,
        AsyncExitStack() as all_,
    ):
        if coturn is None:
            raise Trouble(f"this machine has no {PROGRAM}", "install coturn")
        server = TurnServer(ADDRESS, coturn.port, "udp")
        probes = []
        for number in range(users):
            probe = await all_.enter_async_context(TurnProbe(server, *_credentials(coturn.secret, number)))
            if await probe.allocate() is None:
                probes.append(probe)
        carried, cores = await _carried(probes[: 2 * _FLOWS], float(place.size(3, 1)))
    return RelayFacts(users, len(probes), carried, cores)


def _credentials(secret: str, number: int) -> tuple[str, str]:
    """Time-limited credentials (the shared-secret scheme of draft-uberti-behave-turn-rest)."""
    username = f"{int(time.time()) + _LIFETIME}:{number}"
    mac = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(mac).decode()


async def _carried(probes: Sequence[TurnProbe], seconds: float) -> tuple[float, float]:
    """Megabits per second that arrive, and the processors that the relay took."""
    flows = list(zip(probes[::2], probes[1::2], strict=True))
    for one, other in flows:
        await one.permit(ADDRESS)
        await other.permit(ADDRESS)
    relay = _relay_process()
    cpu, began = _cpu(relay), time.perf_counter()
    arrived = 0
    while time.perf_counter() - began < seconds:
        for one, other in flows:
            for _ in range(_BATCH):
                one.send(_PACKET, other.relayed)
            await other.until(lambda probe=other: len(probe.data) >= _BATCH, 0.05)  # type: ignore[misc]
            arrived += len(other.data)
            other.data.clear()
    spent = time.perf_counter() - began
    return 8 * len(_PACKET) * arrived / spent / 1e6, (_cpu(relay) - cpu) / spent


def _relay_process() -> psutil.Process:
    """The youngest coturn among the processes that we started."""
    ours = [child for child in psutil.Process().children(recursive=True) if child.name() == PROGRAM]
    if not ours:
        raise Trouble("the relay's process cannot be found")
    return max(ours, key=lambda process: process.create_time())


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)
