"""What the rest of the server sees of a connection: its methods, its rows and its errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg

driver: Any = asyncpg
"""The driver, whose own annotations are too partial to check against."""

if TYPE_CHECKING:

    class DatabaseError(Exception):
        """Base of the errors that PostgreSQL reports, as its protocol names their fields."""

        sqlstate: str
        message: str
        detail: str | None
        hint: str | None
        constraint_name: str | None
else:
    DatabaseError = asyncpg.PostgresError


class Refused(Exception):
    """The server cannot start: one line for the person who started it, what is wrong and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy


class Unavailable(Exception):
    """PostgreSQL cannot be reached now, or no connection of the pool came free in time; the caller may try again."""


class NoneFree(Unavailable):
    """No connection of the pool came free in time: PostgreSQL may be well, there is more to do than it can take."""


class Record(Protocol):
    """One row: columns by name or by position."""

    def __getitem__(self, key: str | int) -> Any: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def get(self, key: str, default: Any = None) -> Any: ...
    def keys(self) -> Iterator[str]: ...
    def values(self) -> Iterator[Any]: ...
    def items(self) -> Iterator[tuple[str, Any]]: ...


class Connection(Protocol):
    """One connection; queries take `$1`-style parameters. Every method raises DatabaseError for PostgreSQL's refusals.

    Statements with parameters are prepared once for each connection and text. A connection of the pool must be given
    back as it came: set things with `set local` or `set_config(…, true)` and take transaction-level locks only.
    """

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str: ...
    async def executemany(self, command: str, args: Iterable[Sequence[Any]]) -> None: ...
    async def fetch(self, query: str, *args: Any, timeout: float | None = None) -> list[Record]: ...
    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None) -> Record | None: ...
    async def fetchval(self, query: str, *args: Any, column: int = 0, timeout: float | None = None) -> Any: ...
    def transaction(self, *, readonly: bool = False) -> AbstractAsyncContextManager[Any]: ...
    def is_closed(self) -> bool: ...
    async def close(self, *, timeout: float | None = None) -> None: ...
    def terminate(self) -> None: ...
