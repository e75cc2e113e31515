"""The door: how many reads it lets in, in which order the others follow, and who passes by."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from starlette.types import Receive, Scope, Send

from reference_server.web.door import Door


class Room:
    """An application in which requests stay until they are sent away."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.inside: dict[str, asyncio.Event] = {}

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        name = scope["path"]
        self.came.append(name)
        leave = self.inside[name] = asyncio.Event()
        try:
            await leave.wait()
        finally:
            del self.inside[name]

    async def sees_off(self, name: str) -> None:
        """Sends one away, and lets the others move up."""
        self.inside[name].set()
        await turns()


async def turns() -> None:
    """Some turns of the loop."""
    for _ in range(5):
        await asyncio.sleep(0)


async def nothing(*_: object) -> None:
    """Neither hears nor says anything."""


def knocks(door: Door, path: str, method: str = "GET", kind: str = "http") -> asyncio.Task[None]:
    """A request at the door."""

    async def request() -> None:
        await door({"type": kind, "method": method, "path": path}, nothing, nothing)

    return asyncio.create_task(request())


async def test_first_come_first_served() -> None:
    """No more than it says are inside; who leaves makes room for who has waited longest."""
    room = Room()
    door = Door(room, at_once=2)
    tasks = [knocks(door, f"/{n}") for n in range(5)]
    await turns()
    assert room.came == ["/0", "/1"]
    await room.sees_off("/1")
    assert room.came == ["/0", "/1", "/2"]
    for name in ("/0", "/2", "/3", "/4"):
        await room.sees_off(name)
    assert room.came == ["/0", "/1", "/2", "/3", "/4"]
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("path", "method", "kind"),
    [("/join", "POST", "http"), ("/row", "PATCH", "http"), ("/socket", "GET", "websocket"), ("/health", "GET", "http")],
)
async def test_who_passes_by(path: str, method: str, kind: str) -> None:
    """Writes, sockets, and the paths that nobody waits for."""
    room = Room()
    door = Door(room, at_once=1, besides=["/health"])
    tasks = [knocks(door, "/0"), knocks(door, "/1"), knocks(door, path, method, kind)]
    await turns()
    assert room.came == ["/0", path]
    for name in (path, "/0", "/1"):
        await room.sees_off(name)
    await asyncio.gather(*tasks)


async def test_who_gives_up_keeps_nobody_out() -> None:
    """Whether he waits, is called at that moment, or is inside: his place goes to the next one."""
    room = Room()
    door = Door(room, at_once=1)
    inside, gives_up, called, last = (knocks(door, f"/{n}") for n in range(4))
    await turns()
    gives_up.cancel()
    await turns()
    room.inside["/0"].set()
    for _ in range(20):
        if not inside.done():
            await asyncio.sleep(0)
    called.cancel()  # his turn has come, and he has not moved yet
    await turns()
    assert room.came == ["/0", "/3"]
    last.cancel()
    for task in (gives_up, called, last):
        with suppress(asyncio.CancelledError):
            await task
    after = knocks(door, "/after")
    await turns()
    assert room.came == ["/0", "/3", "/after"]
    await room.sees_off("/after")
    await after


async def test_a_failure_gives_the_place_back() -> None:
    """An application that raises has left."""

    async def fails(*_: object) -> None:
        raise RuntimeError("no")

    door = Door(fails, at_once=1)
    for n in range(3):
        with pytest.raises(RuntimeError):
            await knocks(door, f"/{n}")
