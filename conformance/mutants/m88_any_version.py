"""M88: whatever version an upgrade asks for, it is given."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from reference_server.mutation import Mutation
from reference_server.web.protocol import WebSockets

MUTANT = {
    "id": "M88",
    "title": "the version of an upgrade is not looked at",
    "why": "It has been 13 for ever.",
    "names": ["SEC-WS-29"],
}


def mutate(server: Mutation) -> None:
    """The request is read as if it asked for 13."""

    def handle_connect(protocol: Any, event: Any) -> None:
        if "Sec-WebSocket-Version" in event.headers:
            del event.headers["Sec-WebSocket-Version"]
        event.headers["Sec-WebSocket-Version"] = "13"
        WebSocketsSansIOProtocol.handle_connect(protocol, event)

    server.wrap(WebSockets, "handle_connect", lambda _original: handle_connect)
