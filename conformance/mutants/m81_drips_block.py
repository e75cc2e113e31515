"""M81: a frame that comes byte by byte keeps everybody waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from reference_server.mutation import Mutation
from reference_server.web.protocol import WebSockets

MUTANT = {
    "id": "M81",
    "title": "a slow sender blocks the server",
    "why": "Reading until the frame is whole. 50 ms for each byte here.",
    "names": ["SEC-WS-20"],
}


def mutate(server: Mutation) -> None:
    """Each small piece is waited for."""

    def slow(original: Callable[..., None]) -> Callable[..., None]:
        def data_received(protocol: Any, data: bytes) -> None:
            if len(data) <= 2 and isinstance(protocol, WebSockets):
                time.sleep(0.2)
            original(protocol, data)

        return data_received

    server.wrap(WebSocketsSansIOProtocol, "data_received", slow)
