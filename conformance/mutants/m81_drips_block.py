"""M81: a frame that comes byte by byte keeps everybody waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M81",
    "title": "a slow sender blocks the server",
    "why": "Reading until the frame is whole. It waits for 6 s at a time here.",
    "names": ["SEC-WS-20"],
}


STALL = 6.0
"""Seconds."""


def mutate(server: Mutation) -> None:
    """Every 25th byte that comes alone makes everybody wait."""
    alone = 0

    def slow(original: Callable[..., None]) -> Callable[..., None]:
        def data_received(protocol: Any, data: bytes) -> None:
            nonlocal alone
            alone += len(data) == 1
            if len(data) == 1 and alone % 25 == 0:
                time.sleep(STALL)
            original(protocol, data)

        return data_received

    server.wrap(WebSocketsSansIOProtocol, "data_received", slow)
