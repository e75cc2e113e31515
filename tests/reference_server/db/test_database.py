"""The pool, the transactions and the caller's rights, against a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import orjson
import pytest

from reference_server.auth.claims import Claims
from reference_server.db import Database, DatabaseError, Refused, Unavailable

ENGINE_SQL = "create table gurukul.made_by_the_engine (x int);"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, pool_size=3)
    await database.install("documented", ENGINE_SQL)
    yield database
    await database.close()


def claims(user: UUID) -> Claims:
    raw = {"sub": str(user), "role": "authenticated"}
    return Claims("authenticated", user, 0.0, raw)


async def new_user(database: Database) -> UUID:
    async with database.connection() as connection:
        user = await connection.fetchval("insert into auth.users default values returning id")
    assert isinstance(user, UUID)
    return user


async def test_install_runs_schema_and_engine(database: Database) -> None:
    """After install the tables of the schema and of the engine are there, and the installation says whose they are."""
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from gurukul.made_by_the_engine") == 0
        assert await connection.fetchval("select engine from gurukul.installation") == "documented"
        assert await connection.fetchval("select count(*) from pg_publication_tables") == 3


async def test_statements_are_counted(database: Database) -> None:
    """Each statement that a connection sends counts, begin and commit too, of the pool and beside it; a text of several
    counts once."""
    before = database.statements.sent
    async with database.transaction() as connection:
        assert await connection.fetchval("select 1 + $1::int", 1) == 2
    dedicated = await database.dedicated()
    await dedicated.execute("select 1; select 2")
    assert database.statements.sent == before + 4


async def test_install_again_keeps_everything(database: Database) -> None:
    """Installing the same engine again changes nothing."""
    user = await new_user(database)
    await database.install("documented", ENGINE_SQL)
    async with database.connection() as connection:
        assert await connection.fetchval("select id from auth.users") == user


@pytest.mark.parametrize(
    ("engine", "sql", "text"),
    [
        ("hardened", ENGINE_SQL, "was made for the documented engine, not for hardened: use another database, or"),
        ("documented", ENGINE_SQL + " select 1;", "was made by another version of this server: use a fresh database"),
    ],
)
async def test_install_refuses_another_installation(database: Database, engine: str, sql: str, text: str) -> None:
    """A database of another engine or version is refused with a line that says what to do."""
    with pytest.raises(Refused, match=text):
        await database.install(engine, sql)


async def test_install_refuses_foreign_tables(database_url: str) -> None:
    """A database that holds somebody's tables is refused and left as it was."""
    database = await Database.open(database_url, pool_size=2)
    async with database.connection() as connection:
        await connection.execute("create table books (title text)")
    with pytest.raises(Refused, match=r"not empty, it holds the table public\.books: use a fresh database"):
        await database.install("documented", ENGINE_SQL)
    async with database.connection() as connection:
        assert await connection.fetchval("select to_regnamespace('gurukul')") is None
    await database.close()


async def test_install_leaves_nothing_when_it_fails(database_url: str) -> None:
    """A mistake in the engine's SQL rolls the whole installation back."""
    database = await Database.open(database_url, pool_size=2)
    with pytest.raises(DatabaseError):
        await database.install("documented", "select nonsense;")
    async with database.connection() as connection:
        assert await connection.fetchval("select to_regnamespace('gurukul')") is None
    await database.close()


async def test_as_caller_sets_role_and_claims(database: Database) -> None:
    """Inside as_caller the role, auth.uid(), method and path are the caller's; afterwards they are gone."""
    user = await new_user(database)
    async with database.as_caller(claims(user), method="GET", path="/x") as connection:
        row = await connection.fetchrow(
            "select current_user::text as role, auth.uid() as uid, current_setting('request.method') as method,"
            " current_setting('request.path') as path, current_setting('statement_timeout') as timeout"
        )
    assert row is not None
    assert tuple(row) == ("authenticated", user, "GET", "/x", "8s")
    async with database.connection() as connection:
        row = await connection.fetchrow("select current_user::text, auth.uid(), current_setting('statement_timeout')")
    assert row is not None
    assert tuple(row) == ("postgres", None, "0")


async def test_as_caller_sees_own_rows_only(database: Database) -> None:
    """Row-level security hides another user's queue entry and refuses to make one for him."""
    one, two = await new_user(database), await new_user(database)
    async with database.connection() as connection:
        await connection.execute("insert into waiting_queue (user_id) values ($1), ($2)", one, two)
    async with database.as_caller(claims(one), read_only=True) as connection:
        assert await connection.fetchval("select array_agg(user_id) from waiting_queue") == [one]
    with pytest.raises(DatabaseError) as caught:
        async with database.as_caller(claims(one)) as connection:
            await connection.execute("insert into waiting_queue (user_id) values ($1)", uuid4())
    assert caught.value.sqlstate == "42501"


async def test_read_only_refuses_writes(database: Database) -> None:
    """A read-only caller cannot write (SQLSTATE 25006)."""
    user = await new_user(database)
    with pytest.raises(DatabaseError) as caught:
        async with database.as_caller(claims(user), read_only=True) as connection:
            await connection.execute("insert into waiting_queue (user_id) values ($1)", user)
    assert caught.value.sqlstate == "25006"


async def test_transaction_rolls_back(database: Database) -> None:
    """What a failed transaction wrote is gone, and the connection serves the next one."""
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await connection.execute("insert into auth.users default values")
            raise ZeroDivisionError
    async with database.connection() as connection:
        assert await connection.fetchval("select count(*) from auth.users") == 0


async def test_lost_connections_are_replaced(database: Database) -> None:
    """When PostgreSQL cuts every connection, the call under way fails and later ones get new connections."""
    with pytest.raises((DatabaseError, Unavailable)):
        async with database.connection() as connection:
            await connection.fetchval("select pg_terminate_backend(pg_backend_pid())")
    for _ in range(4):
        async with database.connection() as connection:
            assert await connection.fetchval("select 1") == 1


async def test_dedicated_is_outside_the_pool(database: Database) -> None:
    """A dedicated connection takes no place in the pool and is closed with the database."""
    dedicated = await database.dedicated()
    async with database.connection() as one, database.connection() as two, database.connection() as three:
        pids = {await c.fetchval("select pg_backend_pid()") for c in (dedicated, one, two, three)}
    assert len(pids) == 4
    await database.close()
    assert dedicated.is_closed()


async def test_close_twice(database: Database) -> None:
    """Closing again is allowed."""
    await database.close()
    await database.close()


async def test_timestamps_are_utc_json(database: Database) -> None:
    """PostgreSQL writes timestamptz in JSON with +00:00, whatever the machine's time zone."""
    async with database.connection() as connection:
        text = await connection.fetchval("select to_json(timestamptz '2026-01-01 21:34:05.678901+00')::text")
    assert orjson.loads(text) == "2026-01-01T21:34:05.678901+00:00"
