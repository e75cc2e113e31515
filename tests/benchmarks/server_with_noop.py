"""The reference server with one more route, which reads its body and does nothing: what the framework itself can do."""

from __future__ import annotations

import sys

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reference_server import app
from reference_server.__main__ import main
from reference_server.web.errors import Json


async def noop(request: Request) -> Response:
    """POST /noop: the answer of a join, without the join."""
    await request.body()
    return Json({"message": "Joined queue successfully"})


if __name__ == "__main__":
    app.ROUTE_LISTS = (lambda _parts: [Route("/noop", noop, methods=["POST"])], *app.ROUTE_LISTS)
    sys.exit(main(sys.argv[1:]))
