"""What a peer needs from outside: a way to carry its signals, and a network to live on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Incoming(Protocol):
    """A signal of the other side, as PROTOCOL.md section 4 has it: its type, and the rest of its content."""

    @property
    def kind(self) -> str:
        """`offer`, `answer`, `ice-candidate` or `call-ended`."""

    @property
    def seq(self) -> int | None:
        """The sender's number of this signal in the session, from 1; None where he does not number them."""

    @property
    def body(self) -> Mapping[str, Any]:
        """The content without its type, for example `{"offer": {"type": …, "sdp": …}}`."""


class SignalPort(Protocol):
    """Carries the signals of one session to and from the other member."""

    @property
    def ended(self) -> asyncio.Event:
        """Set when this side was told that the session is over."""

    async def send(self, kind: str, /, **body: Any) -> Any:
        """Sends one signal; its content is `{"type": kind, **body}`. False where it was not accepted for certain."""

    async def receive(self, timeout: float | None = None) -> Incoming:
        """Waits for the other member's next signal, in the order of sending; for ever where no time is given.

        Raises:
            TimeoutError: none came within `timeout` seconds.
        """


class Network(Protocol):
    """Where a peer lives: the addresses it gathers candidates on, and the STUN and TURN servers it may ask."""

    @property
    def ice_servers(self) -> Sequence[Mapping[str, str]]:
        """Servers as RTCIceServer has them (`urls`, `username`, `credential`); empty for none."""

    def attached(self) -> AbstractContextManager[None]:
        """Whoever gathers candidates inside this block gathers them on this network."""
