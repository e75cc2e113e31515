"""The pool of connections, and the transactions that the server runs on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, cast

import orjson

from reference_server.auth.claims import Claims
from reference_server.db import startup
from reference_server.db.connection import Connection, DatabaseError, NoneFree, Refused, Unavailable, driver
from reference_server.db.counting import Statements, counted
from reference_server.db.installation import Rewrite, as_written, install
from reference_server.db.replication import LogStream, open_log

ACQUIRE_TIMEOUT = 10.0
STATEMENT_TIMEOUTS = {"anon": 3.0, "authenticated": 8.0}
"""Seconds by role (PROTOCOL 2.4)."""
_SESSION = {"application_name": "gurukul", "timezone": "UTC", "jit": "off", "search_path": "public"}
# Values in the log are text in the form of the session that reads it. And where this machine is gone without a word,
# PostgreSQL must find out soon: the slot says that the instance lives.
_LOG_FORM = {
    "datestyle": "ISO, MDY",
    "extra_float_digits": "1",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

# The transaction opens, and the caller is set as PostgREST does before each request (PROTOCOL 2.4), in one round trip.
# A text of several statements takes no parameters: what comes from the request stands in it as hexadecimal digits.
_AS_CALLER = """
begin{mode}; set local role {role}; set local statement_timeout = {timeout};
select set_config('request.jwt.claims', convert_from(decode('{claims}', 'hex'), 'UTF8'), true),
       set_config('request.method', convert_from(decode('{method}', 'hex'), 'UTF8'), true),
       set_config('request.path', convert_from(decode('{path}', 'hex'), 'UTF8'), true)
"""
_ROLES = {"anon": "anon", "authenticated": "authenticated"}


class Database:
    """A PostgreSQL database that can carry the server. Made by `open`; `close` may be called twice."""

    def __init__(
        self, url: str, pool: Any, statement_timeouts: Mapping[str, float], statements: Statements | None = None
    ) -> None:
        self.url = url
        self.statements = statements or Statements()
        self._pool = pool
        self._timeouts = {role: max(1, round(seconds * 1000)) for role, seconds in statement_timeouts.items()}
        self._dedicated: set[Connection] = set()
        self.waited: Callable[[float], None] = lambda _seconds: None
        """Is told how long somebody waited for a connection of the pool, also in vain. Set by who measures."""

    @property
    def pool_size(self) -> int:
        """Connections of the pool."""
        return int(self._pool.get_size())

    @property
    def pool_used(self) -> int:
        """Connections of the pool that are lent out."""
        return int(self._pool.get_size() - self._pool.get_idle_size())

    @classmethod
    async def open(
        cls, url: str, pool_size: int = 20, statement_timeouts: Mapping[str, float] = STATEMENT_TIMEOUTS
    ) -> Database:
        """Connects `pool_size` connections and checks the server; a caller's statements take so many seconds at most.

        Raises:
            Refused: PostgreSQL cannot be reached, refuses us, is older than 15 or does not decode logically for us.
        """
        probe = await _connect(url)
        try:
            await startup.check_server(probe, url)
        finally:
            await probe.close(timeout=5)
        statements = Statements()
        pool = driver.create_pool(
            url,
            connection_class=counted(statements),
            min_size=pool_size,
            max_size=pool_size,
            max_inactive_connection_lifetime=0,
            max_queries=10_000_000,
            timeout=startup.CONNECT_TIMEOUT,
            reset=_reset,
            server_settings=_SESSION,
        )
        try:
            await pool
        except (DatabaseError, driver.InterfaceError, OSError, TimeoutError) as error:
            raise startup.explain(error, url) from error
        return cls(url, pool, statement_timeouts, statements)

    async def install(self, engine: str, engine_sql: str, rewritten: Rewrite = as_written) -> None:
        """Installs the schema and the engine's SQL (as `rewritten`), or keeps them where they stand already.

        Raises:
            Refused: the database belongs to another engine or version, or holds things that are not ours.
        """
        async with self.connection() as connection:
            await install(connection, engine, engine_sql, rewritten)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A pooled connection with the owner's rights; each statement commits by itself.

        Raises:
            Unavailable: PostgreSQL is gone; NoneFree: no connection came free in time.
        """
        began = time.perf_counter()
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT)
        except TimeoutError as error:  # before OSError, of which it is one
            raise NoneFree(f"no database connection (none came free in {ACQUIRE_TIMEOUT:g} s)") from error
        except (OSError, driver.InterfaceError, DatabaseError) as error:
            raise Unavailable(f"no database connection ({error})") from error
        finally:
            self.waited(time.perf_counter() - began)
        try:
            yield connection
        except driver.InterfaceError as error:
            if connection.is_closed():
                raise Unavailable("the database connection was lost") from error
            raise
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[Connection]:
        """One transaction with the owner's rights: committed at the end, rolled back when the body raises."""
        async with self.connection() as connection, connection.transaction(readonly=read_only):
            yield connection

    @asynccontextmanager
    async def as_caller(
        self, claims: Claims, read_only: bool = False, *, method: str = "", path: str = ""
    ) -> AsyncIterator[Connection]:
        """One transaction with the caller's rights: row-level security decides what he sees and changes.

        The role, the claims (`auth.uid()` reads them) and the statement timeout hold for this transaction only.
        """
        opening = _AS_CALLER.format(
            mode=" read only" if read_only else "",
            role=_ROLES[claims.role],
            timeout=self._timeouts[claims.role],
            claims=orjson.dumps(claims.raw).hex(),
            method=method.encode(errors="replace").hex(),
            path=path.encode(errors="replace").hex(),
        )
        async with self.connection() as connection:
            try:
                await connection.execute(opening)
                yield connection
            except BaseException:
                await _undo(connection)
                raise
            await connection.execute("commit")

    async def dedicated(self, *, patience_of: str = "") -> Connection:
        """A connection outside the pool, with the owner's rights, for work that holds on to it (the change feed).

        The caller closes it; what is still open is closed with the database. Its statements take as long as they need,
        or no longer than those of the role `patience_of`.

        Raises:
            Unavailable: PostgreSQL cannot be reached.
        """
        limits = {"statement_timeout": str(self._timeouts[patience_of])} if patience_of else {}
        try:
            connection = await _connect(self.url, counted(self.statements), limits)
        except Refused as error:
            raise Unavailable(str(error)) from error
        self._dedicated = {other for other in self._dedicated if not other.is_closed()} | {connection}
        return connection

    async def follow_log(self, slot: str, publication: str) -> LogStream:
        """Streams the write-ahead log from now on, in the text forms that JSON is made from; the caller closes it.

        Raises:
            DatabaseError: PostgreSQL refuses a replication slot or a sender.
            Unavailable: PostgreSQL cannot be reached.
        """
        try:
            return await open_log(self.url, slot, publication, {**_SESSION, **_LOG_FORM})
        except (driver.InterfaceError, OSError, TimeoutError) as error:
            raise Unavailable(f"the log cannot be followed ({error})") from error

    async def close(self) -> None:
        """Closes every connection; requests still under way have five seconds to end."""
        dedicated, self._dedicated = self._dedicated, set()
        for connection in dedicated:
            connection.terminate()
        try:
            await asyncio.wait_for(self._pool.close(), 5)
        except (TimeoutError, driver.InterfaceError):
            self._pool.terminate()


async def _connect(
    url: str, kind: type[Any] = driver.Connection, limits: Mapping[str, str] = MappingProxyType({})
) -> Connection:
    try:
        connection = await driver.connect(
            url, connection_class=kind, timeout=startup.CONNECT_TIMEOUT, server_settings={**_SESSION, **limits}
        )
    except (DatabaseError, driver.InterfaceError, OSError, ValueError) as error:
        raise startup.explain(error, url) from error
    return cast("Connection", connection)


async def _undo(connection: Connection) -> None:
    """Rolls back, whatever happened; a connection on which that fails is of no use any more."""
    try:
        await connection.execute("rollback")
    except (DatabaseError, driver.InterfaceError, OSError):
        connection.terminate()


async def _reset(_connection: Any) -> None:
    """Spares the driver's reset, a round trip at each release: the driver has ended any open transaction itself."""
