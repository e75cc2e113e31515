"""Signed-in users for an experiment, what they do together, and looks into the database and the metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from harness.client.participant import Participant, SessionSeen, Transport
from harness.errors import Trouble
from harness.history.op import Op
from harness.history.recorder import Recorder
from harness.lab.deployment import Deployment
from harness.target import Target

_ENTERING = 20
"""Users who sign up at the same time."""
PATIENCE = 6.0


@asynccontextmanager
async def company(target: Target, count: int, ops: list[Op] | None = None) -> AsyncIterator[list[Participant]]:
    """So many users, signed up one by one and gone at the end; `ops` takes what they do."""
    recorder = Recorder([] if ops is None else ops)
    gate = asyncio.Semaphore(_ENTERING)

    async def enter(transport: Transport) -> Participant:
        async with gate:
            return await Participant.enter(transport, recorder)

    async with Transport(target, timeout=30.0) as transport:
        people = await asyncio.gather(*(enter(transport) for _ in range(count)))
        try:
            yield list(people)
        finally:
            await asyncio.gather(*(person.close() for person in people))


async def until(condition: Callable[[], Awaitable[Any]], patience: float, every: float = 0.05) -> bool:
    """Looks again and again until something is so; False where it is not after `patience` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while not await condition():
        if loop.time() >= deadline:
            return False
        await asyncio.sleep(every)
    return True


class Calls:
    """Waits for the documented engine's `find_match`, which nobody else awaits, by the count that /metrics keeps.

    Args:
        documented: whether it is that engine.
        urls: the servers that count.
    """

    def __init__(self, urls: Sequence[str], *, documented: bool) -> None:
        self._documented = documented
        self._urls = urls
        self._joins = 0

    async def join(self, user: Participant, mode: str = "global") -> None:
        """One join, and what it starts, to its end. Raises Trouble where the join is not taken."""
        reply = await user.join(mode)
        if not reply.ok:
            raise Trouble(f"a join was answered {reply.status}")
        self._joins += 1
        if self._documented and not await until(self._called, PATIENCE, every=0.01):
            raise Trouble("a find_match did not come back")

    async def meet(self, one: Participant, other: Participant) -> SessionSeen:
        """Lets one join, and then the other; their session. Raises Trouble where they are not matched."""
        await self.join(one)
        await self.join(other)
        session = await other.poll()
        if session is None or {session.user1, session.user2} != {one.user, other.user}:
            raise Trouble("two users who joined one after the other were not matched")
        return session

    async def _called(self) -> bool:
        counts = [(await scraped(url)).get("matchmaking_find_match_duration_seconds_count", 0.0) for url in self._urls]
        return sum(counts) >= self._joins


def calls_of(deployed: Deployment) -> Calls:
    """The calls of one server."""
    return Calls([deployed.target.supabase_url], documented=deployed.target.name == "documented")


async def scraped(url: str) -> dict[str, float]:
    """The samples of a server's /metrics by name, those of several labels added up."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
        return samples(await answer.text())


def samples(text: str) -> dict[str, float]:
    """The samples of the text format of Prometheus, labels left out and added up."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            name = name.partition("{")[0]
            found[name] = found.get(name, 0.0) + float(value)
    return found


def mean_ms(metrics: dict[str, float], name: str) -> float:
    """The mean of a histogram in milliseconds; 0 where it is empty."""
    count = metrics.get(f"{name}_count", 0.0)
    return 1000 * metrics.get(f"{name}_sum", 0.0) / count if count else 0.0
