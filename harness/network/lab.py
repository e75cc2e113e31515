"""What every network offers: places for peers behind NATs of a kind, and the proof that each NAT is what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from harness.network.nat import Discovered, NatKind, Turn


class Place(Protocol):
    """A fresh host for one peer: where it gathers candidates, and the servers that it may ask.

    As a context manager it is closed at the end.
    """

    @property
    def ice_servers(self) -> Sequence[Mapping[str, str]]:
        """Servers as RTCIceServer has them (`urls`, `username`, `credential`); STUN always, TURN as the arm has it."""

    def attached(self) -> AbstractContextManager[None]:
        """Whoever opens sockets inside this block (and in tasks started there) opens them on this host."""

    def close(self) -> None:
        """Gives the host and its NAT up, after its peer has closed its sockets. May be called twice."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Lab(Protocol):
    """A network with NATs of every kind, with a STUN and a TURN server; an async context manager."""

    @property
    def name(self) -> str:
        """`loopback`, `vnet` or `netns`."""

    @property
    def relayed_bytes(self) -> int | None:
        """Payload bytes that the relay carried so far, both ways; None where nobody counts them."""

    def place(self, kind: NatKind, turn: Turn) -> Place:
        """A fresh host behind a NAT of this kind, with the servers of this arm."""

    async def prove(self) -> dict[str, Discovered]:
        """Asks every kind of NAT what it is (RFC 5780), by name.

        Raises:
            Trouble: a kind is not what it says.
        """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
