"""M77: a Close is heard, and the connection just ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.frames import Opcode
from websockets.protocol import Protocol

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M77",
    "title": "the closing handshake is left out",
    "why": "The other side will go away by itself.",
    "names": ["SEC-WS-11"],
}


def mutate(server: Mutation) -> None:
    """The connection ends without a word."""

    def deaf(original: Callable[..., None]) -> Callable[..., None]:
        def recv_frame(protocol: Any, frame: Any) -> None:
            if frame.opcode is Opcode.CLOSE:
                raise EOFError("the other side has closed")
            original(protocol, frame)

        return recv_frame

    server.wrap(Protocol, "recv_frame", deaf)
