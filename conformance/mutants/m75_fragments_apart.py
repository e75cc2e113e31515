"""M75: each fragment is read as a message."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M75",
    "title": "fragments are not put together",
    "why": "Frames taken for messages.",
    "names": ["SEC-WS-9"],
}


def mutate(server: Mutation) -> None:
    """A continuation is a message of its own."""

    def handle_cont(protocol: Any, frame: Any) -> None:
        protocol.frames = [frame.data]
        protocol.send_receive_event_to_app()

    server.wrap(WebSocketsSansIOProtocol, "handle_cont", lambda _original: handle_cont)
