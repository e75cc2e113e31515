"""M74: text that is no text is mended."""

from __future__ import annotations

from typing import Any

from reference_server.mutation import Mutation
from reference_server.web.protocol import WebSockets

MUTANT = {
    "id": "M74",
    "title": "text frames need not be UTF-8",
    "why": "Decoding with replacement.",
    "names": ["SEC-WS-8"],
}


def mutate(server: Mutation) -> None:
    """What cannot be read is replaced."""

    def deliver(protocol: Any) -> None:
        data, protocol.frames = b"".join(protocol.frames), []
        protocol.queue.put_nowait({"type": "websocket.receive", "text": data.decode(errors="replace")})

    server.wrap(WebSockets, "send_receive_event_to_app", lambda _original: deliver)
