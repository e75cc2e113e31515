"""M49: what comes out of a compressed message is not measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvicorn
from websockets.extensions.permessage_deflate import PerMessageDeflate

from reference_server.mutation import Mutation

MUTANT = {
    "id": "M49",
    "title": "the size after decompression is not limited",
    "why": "The limit counts what comes over the wire.",
    "names": ["SEC-WS-17"],
}


def mutate(server: Mutation) -> None:
    """Compression is offered, and its outcome may be of any size."""

    def compressing(original: Callable[..., Any]) -> Callable[..., Any]:
        def config(app: Any, **options: Any) -> Any:
            return original(app, **{**options, "ws_per_message_deflate": True})

        return config

    def boundless(original: Callable[..., Any]) -> Callable[..., Any]:
        def decode(extension: Any, frame: Any, **_limit: Any) -> Any:
            return original(extension, frame)

        return decode

    server.wrap(uvicorn, "Config", compressing)
    server.wrap(PerMessageDeflate, "decode", boundless)
