"""What an idle socket costs the server in memory: bare, in a channel, and with the document's two subscriptions.

Run alone: `pytest tests/benchmarks/test_sockets.py`. The figures are in the table's extra columns (`--benchmark-json`).
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.benchmarks.deployment import Deployment, Socket, allow_files, deployed

WARM, SOCKETS, AT_ONCE = 200, 5_000, 50
BINDINGS = {"bare": None, "joined": 0, "subscribed": 2}
MOST_KB = 45.0
"""Far above what a socket costs: beyond it something holds on to what it should not."""


def mine(user: UUID, number: int) -> dict[str, str]:
    """The document's binding on the user's sessions."""
    filter_ = f"user{number}_id=eq.{user}"
    return {"event": "INSERT", "schema": "public", "table": "chat_sessions", "filter": filter_}


async def opened(server: Deployment, users: list[UUID], bindings: int | None) -> list[Socket]:
    """A socket for each user, some at a time."""
    sockets: list[Socket] = []

    async def one(user: UUID) -> None:
        socket = await server.open()
        sockets.append(socket)
        if bindings is not None:
            await socket.join(f"matchmaking:{user}", user, *(mine(user, n + 1) for n in range(bindings)))

    for at in range(0, len(users), AT_ONCE):
        await asyncio.gather(*(one(user) for user in users[at : at + AT_ONCE]))
    return sockets


async def idle_sockets(postgres_url: str, bindings: int | None) -> dict[str, Any]:
    async with deployed(postgres_url, "hardened", "--socket-idle-timeout", "600", "--ping-interval", "600") as server:
        users = await server.users(WARM + SOCKETS)
        sockets = await opened(server, users[:WARM], bindings)
        before = server.memory()
        sockets += await opened(server, users[WARM:], bindings)
        grown = server.memory() - before
        for socket in sockets:
            socket.close()
        return {"kb_per_socket": round(grown / SOCKETS / 1000, 2), "sockets": SOCKETS}


@pytest.mark.parametrize("state", BINDINGS)
def test_an_idle_socket_is_small(benchmark: Any, postgres_url: str, state: str) -> None:
    """The resident memory of the server's process grows by so much for each socket."""
    allow_files(2 * (WARM + SOCKETS))
    figures = benchmark.pedantic(lambda: asyncio.run(idle_sockets(postgres_url, BINDINGS[state])), rounds=1)
    benchmark.extra_info.update(figures, state=state)
    print(state, figures)  # noqa: T201 — shown with -s
    assert figures["kb_per_socket"] < MOST_KB
