"""Two real peers on this machine whose signals go through the target: what a handshake makes of what it delivers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from conformance.outcome import NotVerified
from conformance.trial import Trial
from harness.client.signalling import SignalChannel
from harness.history.op import Op, Outcome, Via

if TYPE_CHECKING:
    from harness.peer.peer import PeerResult
    from harness.peer.ports import Incoming, Network, SignalPort

PATIENCE = 15.0
"""Seconds that a handshake may take beyond the target's budgets: our own share of it."""
OFFERER, ANSWERER = "offerer", "answerer"
_DESCRIPTIONS = frozenset({"offer", "answer"})


class CandidatesFirst:
    """A port whose user sends all his candidates, and their end, before the description that they belong to."""

    def __init__(self, port: SignalPort) -> None:
        self._port = port
        self._description: tuple[str, dict[str, Any]] | None = None

    @property
    def ended(self) -> asyncio.Event:
        """Set when the session is over."""
        return self._port.ended

    async def send(self, kind: str, /, **body: Any) -> Any:
        """Holds a description back, and sends it behind the end of the candidates."""
        if kind in _DESCRIPTIONS:
            self._description = (kind, body)
            return True
        accepted = await self._port.send(kind, **body)
        if self._description is not None and kind == "ice-candidate" and _ends(body.get("candidate")):
            (kind, body), self._description = self._description, None
            return await self._port.send(kind, **body)
        return accepted

    async def receive(self, timeout: float | None = None) -> Incoming:
        """The partner's next signal. Raises TimeoutError."""
        return await self._port.receive(timeout)


def _ends(candidate: object) -> bool:
    return not (isinstance(candidate, Mapping) and candidate.get("candidate"))


async def meet(
    trial: Trial,
    ports: tuple[SignalPort, SignalPort],
    networks: tuple[Network, Network],
    roles: tuple[str, str] = (OFFERER, ANSWERER),
    *,
    relay_only: bool = False,
) -> list[PeerResult]:
    """Lets two peers connect; what became of each. Their `connect` ops tell it, too.

    Raises:
        NotVerified: peers are not installed.
    """
    try:
        from harness.peer.peer import Peer
        from harness.peer.stage import Role
    except ModuleNotFoundError as error:
        raise NotVerified(f"{error.name} is not installed: pip install 'gurukul-harness[peers]'") from None
    deadline = PATIENCE + trial.patience + trial.budgets.notify
    peers = [
        Peer(Role(role), network, relay_only=relay_only) for role, network in zip(roles, networks, strict=True)
    ]  # fmt: skip
    try:
        results = await asyncio.gather(
            *(peer.connect(port, deadline) for peer, port in zip(peers, ports, strict=True))
        )  # fmt: skip
    finally:
        await asyncio.gather(*(peer.close() for peer in peers))
    for role, result in zip(roles, results, strict=True):
        trial.recorder().saw("", "peer", "handshake", Via.RTC, offered_as=role, **result.value())
    return list(results)


def here() -> tuple[Network, Network]:
    """Two places on this machine, without servers."""
    from harness.network.loopback import Loopback

    return Loopback(), Loopback()


async def opened(*channels: SignalChannel) -> None:
    """Opens the channels of both members."""
    await asyncio.gather(*(channel.open() for channel in channels))


def lost(ops: list[Op]) -> Op | None:
    """An accepted signal that nobody received."""
    came = {(op.value["id"], op.value["sender"], op.value["seq"]) for op in ops if op.op == "signal_recv"}
    return next(
        (
            op for op in ops
            if op.op == "signal_send" and op.outcome is Outcome.OK
            and (op.value["id"], op.user, op.value["seq"]) not in came
        ),
        None,
    )  # fmt: skip


def receipts(ops: list[Op], session: str) -> list[Op]:
    """What was received in a session."""
    return [op for op in ops if op.op == "signal_recv" and op.value["id"] == session]
