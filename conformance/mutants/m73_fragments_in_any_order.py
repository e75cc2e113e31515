"""M73: a continuation may continue nothing, and a message may begin inside of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.frames import Opcode
from websockets.protocol import Protocol

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M73",
    "title": "the order of fragments is not looked at",
    "why": "A buffer, and a flag for the end.",
    "names": ["SEC-WS-7"],
}


def mutate(server: Mutation) -> None:
    """Whatever comes is fitted in."""

    def fitting(original: Callable[..., None]) -> Callable[..., None]:
        def recv_frame(protocol: Any, frame: Any) -> None:
            if frame.opcode is Opcode.CONT and protocol.current_size is None:
                protocol.current_size = 0
            elif frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                protocol.current_size = None
            original(protocol, frame)

        return recv_frame

    server.wrap(Protocol, "recv_frame", fitting)
