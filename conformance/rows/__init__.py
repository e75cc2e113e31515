"""The target's rows, where its file gives the database (E2): looked at, and aged instead of waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from uuid import UUID

from harness.lab.database import connected


@dataclass(frozen=True, slots=True)
class Doubled:
    """A user who stands in two active sessions at one moment."""

    user: str
    sessions: tuple[str, str]


class Rows:
    """The tables of the application, over one connection of an owner of them."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._one = asyncio.Lock()  # one connection serves one question at a time

    async def doubled(self, users: Iterable[str]) -> list[Doubled]:
        """Which of these users are in two active sessions now."""
        async with self._one:
            found = await self._connection.fetch(_sql("doubled"), [UUID(user) for user in users])
        return [Doubled(str(user), (str(first), str(second))) for user, first, second in found]

    async def age(self, user: str, seconds: float) -> bool:
        """Sets a user's queue entry back by so many seconds; False where he has none."""
        return await self._value("age", UUID(user), seconds) is not None

    async def age_session(self, session: str, seconds: float) -> bool:
        """Sets the beginning of an active session back by so many seconds; False where there is none."""
        return await self._value("age_session", UUID(session), seconds) is not None

    async def ended(self, session: str) -> bool:
        """Whether a session's row says that it is over, and since when."""
        return bool(await self._value("ended", UUID(session)))

    async def _value(self, name: str, *arguments: object) -> Any:
        async with self._one:
            return await self._connection.fetchval(_sql(name), *arguments)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Rows | None]:
    """The rows of the database at this URL; None where there is none. Raises Trouble where it cannot be reached."""
    if not url:
        yield None
        return
    async with connected(url) as connection:
        yield Rows(connection)


def _sql(name: str) -> str:
    return (files(__package__) / f"{name}.sql").read_text(encoding="utf-8")
