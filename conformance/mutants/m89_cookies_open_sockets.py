"""M89: the session cookie speaks for a socket, whichever page opens it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.requests import HTTPConnection

from reference_server.mutation import Mutation
from reference_server.realtime import service
from reference_server.web.caller import cookie_token

MUTANT = {
    "id": "M89",
    "title": "a foreign page opens a socket with the user's cookies",
    "why": "Cross-site WebSocket hijacking: cookies come along, and the origin is not looked at.",
    "names": ["SEC-WS-1"],
}


def mutate(server: Mutation) -> None:
    """Where there is a cookie, its token is the socket's own."""

    def believing(original: Callable[..., Any]) -> Callable[..., Any]:
        def read_opening(scope: Any, *rest: Any) -> Any:
            opening = original(scope, *rest)
            token = cookie_token(HTTPConnection({**scope, "type": "http"}))  # type: ignore[arg-type]
            return opening if token is None else replace(opening, apikey=token)

        return read_opening

    server.wrap(service, "read_opening", believing)
