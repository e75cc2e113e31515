"""Why a PostgreSQL is refused: always one line, with a remedy, and never with a password."""

from __future__ import annotations

import pytest

from reference_server.db import Database, Refused
from reference_server.db.startup import check_server, place


@pytest.mark.parametrize(
    ("url", "line"),
    [
        (
            "postgresql://me:secret@127.0.0.1:1/gurukul",
            "no PostgreSQL answers at 127.0.0.1:1/gurukul: start it, or check host and port of the database URL",
        ),
        ("nonsense", "the database URL is not one"),
        ("mysql://h/x", "the database URL is not one"),
    ],
)
async def test_out_of_reach(url: str, line: str) -> None:
    """A database that is not there, or a URL that is none, is refused before anything else happens."""
    with pytest.raises(Refused) as caught:
        await Database.open(url)
    assert str(caught.value).startswith(line)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_no_such_database(postgres_url: str) -> None:
    """A missing database is named."""
    with pytest.raises(Refused, match=r"there is no database the local socket/nowhere: create it"):
        await Database.open(postgres_url.replace("/postgres?", "/nowhere?"))


async def test_unknown_user(postgres_url: str) -> None:
    """A user that PostgreSQL does not know is refused in one line."""
    with pytest.raises(Refused, match="refused the user: check user and password"):
        await Database.open(postgres_url.replace("postgres@", "nobody@"))


async def test_pool_larger_than_the_server(postgres_url: str) -> None:
    """More connections than the server has are refused with the setting to change."""
    with pytest.raises(Refused, match="no connections left: raise its max_connections or lower --database-pool"):
        await Database.open(postgres_url, pool_size=400)


async def test_user_without_replication(database_url: str) -> None:
    """A user who may not read the write-ahead log is refused with the statement that helps."""
    owner = await Database.open(database_url, pool_size=2)
    async with owner.connection() as connection:
        name = (await connection.fetchval("select current_database()")).replace("test_", "plain_")
        await connection.execute(f"create role {name} login")
        with pytest.raises(Refused, match=f'{name} .*may not replicate: run ALTER ROLE "{name}" REPLICATION'):
            await Database.open(database_url.replace("postgres@", f"{name}@"))
        await connection.execute(f"drop role {name}")
    await owner.close()


class Facts:
    """A connection that says of its server what it is told to."""

    def __init__(self, **changed: object) -> None:
        self._row = {
            "version": 150004,
            "version_text": "15.4",
            "wal_level": "logical",
            "may_replicate": True,
            "caller": "me",
        } | changed

    async def fetchrow(self, _query: str) -> dict[str, object]:
        return self._row


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"version": 140011, "version_text": "14.11"},
            "PostgreSQL 14.11 at h/d is too old: use PostgreSQL 15 or newer",
        ),
        ({"wal_level": "replica"}, "PostgreSQL at h/d runs with wal_level=replica: run ALTER SYSTEM SET wal_level"),
    ],
)
async def test_unfit_server(changed: dict[str, object], line: str) -> None:
    """An old server, or one without logical decoding, is refused with what to change."""
    with pytest.raises(Refused) as caught:
        await check_server(Facts(**changed), "postgresql://h/d")  # type: ignore[arg-type]
    assert str(caught.value).startswith(line)


def test_place_names_no_one() -> None:
    """The place of a URL shows host, port and database, never who."""
    assert place("postgresql://me:secret@db.example:5433/gurukul") == "db.example:5433/gurukul"
    assert place("postgresql://postgres@/postgres?host=/tmp/x") == "the local socket/postgres"
