"""No mutant: a server with one more route, a POST that reads its body and does nothing, as a measure of the others."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reference_server import app
from reference_server.mutation import Mutation
from reference_server.web.errors import Json


async def noop(request: Request) -> Response:
    """POST /noop: the answer of a join, without the join."""
    await request.body()
    return Json({"message": "Joined queue successfully"})


def mutate(server: Mutation) -> None:
    """The route comes before all others."""

    def with_noop(lists: tuple[Any, ...]) -> tuple[Any, ...]:
        return (lambda _parts: [Route("/noop", noop, methods=["POST"])], *lists)

    server.wrap(app, "ROUTE_LISTS", with_noop)
