"""L01: there is no Realtime; whoever wants to know asks."""

from __future__ import annotations

from starlette.routing import BaseRoute

from reference_server.app import Parts
from reference_server.mutation import Mutation
from reference_server.realtime.service import PATH

MUTANT = {
    "id": "L01",
    "title": "poll only (declared)",
    "why": "Hosts without sockets.",
    "legal": True,
    "capabilities": {"push": False},
}


def mutate(server: Mutation) -> None:
    """The address of the sockets is not served."""
    server.parts(_without_sockets)


def _without_sockets(parts: Parts) -> None:
    lists = parts.route_lists

    def routes(parts: Parts) -> list[BaseRoute]:
        return [route for one in lists for route in one(parts) if getattr(route, "path", "") != PATH]

    parts.route_lists = (routes,)
