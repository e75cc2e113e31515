"""Throw-away databases: made empty, dropped at the end, swept when their owner is gone."""

from urllib.parse import urlsplit

import asyncpg
import pytest

from harness.errors import Trouble
from harness.lab.database import PREFIX, database_in, throwaway_database, without_password
from harness.lab.postgres import Cluster


async def names(cluster: Cluster) -> set[str]:
    """The throw-away databases that exist."""
    connection = await asyncpg.connect(cluster.url)
    try:
        rows = await connection.fetch("select datname from pg_database where starts_with(datname, $1)", PREFIX)
        return {name for (name,) in rows}
    finally:
        await connection.close()


async def test_it_exists_for_the_block_and_is_dropped_with_its_connections(cluster: Cluster):
    """A connection and a replication slot that are still open do not keep it."""
    async with throwaway_database(cluster.url) as url:
        left_open = await asyncpg.connect(url)
        await left_open.execute("select pg_create_logical_replication_slot('s', 'pgoutput', true)")
        assert len(await names(cluster)) == 1
    assert await names(cluster) == set()
    left_open.terminate()


async def test_one_whose_owner_is_gone_is_swept_and_one_in_use_is_not(cluster: Cluster):
    """The advisory lock tells them apart."""
    connection = await asyncpg.connect(cluster.url)
    await connection.execute(f"create database {PREFIX}stale")
    await connection.close()
    async with throwaway_database(cluster.url) as first, throwaway_database(cluster.url) as second:
        kept = {urlsplit(first).path[1:], urlsplit(second).path[1:]}
        assert await names(cluster) == kept


async def test_it_is_dropped_when_the_block_breaks(cluster: Cluster):
    """An exception goes through, and the database is gone."""
    with pytest.raises(ZeroDivisionError):
        async with throwaway_database(cluster.url):
            raise ZeroDivisionError
    assert await names(cluster) == set()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "nonsense is not a database URL: write postgresql://"),
        ("postgresql://[", r"cannot be reached \(.*: check host, port, name and password"),
        ("postgresql://u:secret@127.0.0.1:1/x", r"postgresql://u:…@127.0.0.1:1/x cannot be reached"),
        ("postgresql:///x?host=/nonexistent", "cannot be reached"),
    ],
)
async def test_a_wrong_url_is_one_line(url: str, says: str):
    """The line names the database without its password, and what to check."""
    with pytest.raises(Trouble, match=says) as caught:
        async with throwaway_database(url):
            pass
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_database_that_does_not_exist_is_named(cluster: Cluster):
    """PostgreSQL's own words stand in the line."""
    with pytest.raises(Trouble, match='database "missing" does not exist'):
        async with throwaway_database(database_in(cluster.url, "missing")):
            pass


async def test_a_user_without_the_rights_is_told_which(cluster: Cluster):
    """The line names the attributes that the role lacks."""
    connection = await asyncpg.connect(cluster.url)
    await connection.execute("create role poor login createdb")
    await connection.close()
    with pytest.raises(Trouble, match="the database user lacks CREATEROLE REPLICATION"):
        async with throwaway_database(cluster.url.replace("postgres@", "poor@")):
            pass


def test_a_password_is_never_shown():
    """Only the password is hidden."""
    assert without_password("postgresql://me:p:w@h/db") == "postgresql://me:…@h/db"
    assert without_password("postgresql://me@h/db") == "postgresql://me@h/db"
    assert without_password("postgresql:///db?host=/tmp") == "postgresql:///db?host=/tmp"


async def test_a_full_disk_is_not_taken_for_a_wrong_address(monkeypatch: pytest.MonkeyPatch):
    """PostgreSQL's own words, and what helps."""

    async def full(*_: object, **__: object) -> None:
        raise asyncpg.DiskFullError("could not write init file: No space left on device")

    monkeypatch.setattr(asyncpg, "connect", full)
    with pytest.raises(
        Trouble, match=r"\(could not write init file: No space left on device\): make room for its data$"
    ):
        async with throwaway_database("postgresql://h/d"):
            pass
