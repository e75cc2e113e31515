"""Throw-away databases in a PostgreSQL: made for one deployment, dropped after it, swept when their owner is gone.

An advisory lock in the database that the URL names says that the owner of a throw-away database lives: PostgreSQL
lets go of it when the owner's connection ends, also after SIGKILL.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from harness.errors import Trouble, no_room

PREFIX = "gurukul_lab_"
_CONNECT_TIMEOUT = 10.0
_DROP_DEADLINE = 15.0


@asynccontextmanager
async def throwaway_database(cluster_url: str) -> AsyncIterator[str]:
    """Makes an empty database and drops it at the end; gives its URL. Sweeps stale ones first.

    Raises:
        Trouble: the cluster cannot be reached, is not fit (version, wal_level), or does not let us make databases.
    """
    connection = await _connect(cluster_url)
    try:
        await _check(connection)
        await _sweep(connection)
        name = PREFIX + secrets.token_hex(6)
        await connection.execute("select pg_advisory_lock(hashtextextended($1, 0))", name)
        try:
            await _create(connection, name)
            yield database_in(cluster_url, name)
        finally:
            await _drop_for_sure(cluster_url, connection, name)
    finally:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            await connection.close(timeout=5)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """One connection to a database, closed at the end. Raises Trouble where it cannot be reached."""
    connection = await _connect(url)
    try:
        yield connection
    finally:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            await connection.close(timeout=5)


async def check_cluster(cluster_url: str) -> None:
    """Looks at a cluster before anything is started for it. Raises Trouble as `throwaway_database` does."""
    connection = await _connect(cluster_url)
    try:
        await _check(connection)
    finally:
        await connection.close(timeout=5)


def database_in(cluster_url: str, name: str) -> str:
    """The URL of another database of the same cluster."""
    return urlunsplit(urlsplit(cluster_url)._replace(path="/" + quote(name)))


async def _connect(url: str) -> asyncpg.Connection:
    if not url.startswith(("postgresql://", "postgres://")):
        raise Trouble(
            f"{without_password(url)} is not a database URL", "write postgresql://user:password@host:port/name"
        )
    try:
        return await asyncpg.connect(url, timeout=_CONNECT_TIMEOUT)
    except (OSError, ValueError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = str(error).splitlines()[0] if str(error) else f"no answer within {_CONNECT_TIMEOUT:.0f} s"
        mend = "make room for its data" if no_room(error) else "check host, port, name and password"
        raise Trouble(f"the database {without_password(url)} cannot be reached ({why})", mend) from None


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:…@", url, count=1)


async def _check(connection: asyncpg.Connection) -> None:
    version = connection.get_server_version()
    if version.major < 15:
        raise Trouble(f"PostgreSQL {version.major} is too old", "use PostgreSQL 15 or newer")
    if await connection.fetchval("show wal_level") != "logical":
        raise Trouble(
            "PostgreSQL runs without wal_level=logical, which the change feed needs",
            "run ALTER SYSTEM SET wal_level = 'logical' and restart it",
        )
    rights = await connection.fetchrow(
        "select rolsuper, rolcreatedb, rolcreaterole, rolreplication from pg_roles where rolname = current_user"
    )
    if rights is not None and not rights["rolsuper"]:
        missing = [name for name in ("createdb", "createrole", "replication") if not rights["rol" + name]]
        if missing:
            words = " ".join(missing).upper()
            raise Trouble(f"the database user lacks {words}", f"run ALTER ROLE … {words}, or use a superuser")


async def _create(connection: asyncpg.Connection, name: str) -> None:
    try:
        await connection.execute(f'create database "{name}" template template0')
    except asyncpg.PostgresError as error:
        raise Trouble(
            f"no throw-away database can be made ({error})", "give a database user that may create databases"
        ) from None


async def _sweep(connection: asyncpg.Connection) -> None:
    """Drops the throw-away databases whose owner let go of the lock."""
    names = await connection.fetch("select datname from pg_database where starts_with(datname, $1)", PREFIX)
    for (name,) in names:
        if await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 0))", name):
            await _drop(connection, name)
            await connection.execute("select pg_advisory_unlock(hashtextextended($1, 0))", name)


async def _drop_for_sure(url: str, connection: asyncpg.Connection, name: str) -> None:
    """Drops the database; a connection that broke meanwhile is made anew."""
    try:
        await _drop(connection, name)
    except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError):
        with suppress(Trouble):  # the whole cluster is gone, and the database with it
            again = await _connect(url)
            await _drop(again, name)
            await again.close()


async def _drop(connection: asyncpg.Connection, name: str) -> None:
    """Drops a database after its last connections and replication slots; a server just killed may still hold one."""
    deadline = asyncio.get_running_loop().time() + _DROP_DEADLINE
    while True:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
            name,
        )
        try:
            await connection.execute(f'drop database if exists "{name}" with (force)')
        except asyncpg.ObjectInUseError:
            if asyncio.get_running_loop().time() > deadline:
                return
            await connection.execute("select pg_sleep(0.05)")
        else:
            return
