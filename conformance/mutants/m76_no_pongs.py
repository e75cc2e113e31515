"""M76: a ping is heard, and not answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from websockets.frames import Opcode
from websockets.protocol import Protocol

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M76",
    "title": "pings are not answered",
    "why": "Heartbeats of one's own, and none of the protocol's.",
    "names": ["SEC-WS-10"],
}


def mutate(server: Mutation) -> None:
    """Pings are passed over."""

    def silent(original: Callable[..., None]) -> Callable[..., None]:
        def recv_frame(protocol: Any, frame: Any) -> None:
            if frame.opcode is not Opcode.PING:
                original(protocol, frame)

        return recv_frame

    server.wrap(Protocol, "recv_frame", silent)
