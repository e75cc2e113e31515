"""The tasks in which aioice asks STUN and TURN servers while it gathers: none outlives a gathering that is cut off.

aioice waits for tasks of its own, which a cancellation of whoever waits does not reach: a question to a silent server
would be repeated for half a minute, and a relay that is granted late would belong to nobody. Its two functions are
replaced once by ones that note the task they run in, in a context variable of whoever gathers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import aioice.ice

_Asked: TypeAlias = tuple[Any, Any]
"""A candidate, and the protocol of a relay or None: what aioice's two functions return."""

_asking: ContextVar[list[asyncio.Task[_Asked]] | None] = ContextVar("asking", default=None)


@asynccontextmanager
async def ended_with_us(owned: Callable[[], Collection[Any]]) -> AsyncIterator[None]:
    """Where this block is cancelled, what aioice asks for inside it is cancelled too, and awaited.

    Args:
        owned: the protocols that a connection of aioice has taken; a relay granted and not among them is closed.
    """
    aioice.ice.server_reflexive_candidate, aioice.ice.relayed_candidate = _REFLEXIVE, _RELAYED
    tasks: list[asyncio.Task[_Asked]] = []
    token = _asking.set(tasks)
    try:
        yield
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        for asked in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(asked, BaseException) and asked[1] is not None and asked[1] not in owned():
                await asked[1].close()
        raise
    finally:
        _asking.reset(token)


def noting(ask: Callable[..., Awaitable[_Asked]]) -> Any:
    """The function, which notes the task that it runs in."""

    async def noted(*arguments: Any, **options: Any) -> _Asked:
        tasks, task = _asking.get(), asyncio.current_task()
        if tasks is not None and task is not None:
            tasks.append(task)
        return await ask(*arguments, **options)

    return noted


_REFLEXIVE, _RELAYED = noting(aioice.ice.server_reflexive_candidate), noting(aioice.ice.relayed_candidate)
