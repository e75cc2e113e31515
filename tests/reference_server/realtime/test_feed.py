"""The change feed against a real PostgreSQL: nothing missed, nothing before its time, and back after a loss."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest

from reference_server.db import Connection, Database, Refused
from reference_server.realtime.feed import Feed
from reference_server.realtime.tables import Change
from tests.reference_server.realtime.conftest import PATIENCE, Site, sessions_of


class Listener:
    """Collects what the feed hands out."""

    def __init__(self) -> None:
        self.changes: asyncio.Queue[Change] = asyncio.Queue()
        self.listening = True

    async def deliver(self, _connection: Connection, changes: list[Change]) -> None:
        for change in changes:
            self.changes.put_nowait(change)

    async def next(self, count: int) -> list[Change]:
        return [await asyncio.wait_for(self.changes.get(), PATIENCE) for _ in range(count)]


def feed_on(database: Database, listener: Listener, poll: float = 0.0, batch: int = 100) -> Feed:
    return Feed(database, listener.deliver, lambda _schema, _table: listener.listening, poll=poll, batch=batch)


async def slots(database: Database) -> list[str]:
    query = "select slot_name::text from pg_replication_slots where database = current_database()"
    async with database.connection() as connection:
        return [row[0] for row in await connection.fetch(query)]


async def users(database: Database, count: int) -> None:
    insert = "insert into auth.users (id, is_anonymous) select gen_random_uuid(), true from generate_series(1, $1)"
    async with database.connection() as connection:
        await connection.execute(insert, count)


async def test_whole_transactions_in_commit_order(installed: Database) -> None:
    """Changes of many transactions, read in batches smaller than one of them, come complete and in order."""
    listener = Listener()
    feed = feed_on(installed, listener, batch=7)
    await feed.start()
    try:
        await users(installed, 50)
        join = "insert into waiting_queue (user_id) select id from auth.users except select user_id from waiting_queue"
        async with installed.connection() as connection:
            await connection.execute(f"{join} limit 30")
            await connection.execute(f"{join} limit 5")
            await connection.execute("update waiting_queue set match_mode = 'global'")
            await connection.execute("delete from waiting_queue")
        changes = await listener.next(105)
    finally:
        await feed.stop()
    assert [change.kind for change in changes] == ["INSERT"] * 35 + ["UPDATE"] * 35 + ["DELETE"] * 35
    assert [change.commit_lsn for change in changes] == sorted(change.commit_lsn for change in changes)
    assert len({change.xid for change in changes}) == 4
    assert {change.table.name for change in changes} == {"waiting_queue"}
    assert all(change.table.row_security and change.table.key == (0,) for change in changes)


async def test_a_rolled_back_transaction_is_not_told(installed: Database) -> None:
    """Only what was committed is in the feed."""
    listener = Listener()
    feed = feed_on(installed, listener)
    await feed.start()
    try:
        await users(installed, 1)
        async with installed.connection() as connection:
            with pytest.raises(ZeroDivisionError):
                async with connection.transaction():
                    await connection.execute("insert into waiting_queue (user_id) select id from auth.users limit 1")
                    raise ZeroDivisionError
            await connection.execute("insert into waiting_queue (user_id) select id from auth.users limit 1")
            await connection.execute("delete from waiting_queue")
        assert [change.kind for change in await listener.next(2)] == ["INSERT", "DELETE"]
    finally:
        await feed.stop()


async def test_a_table_that_is_altered_is_learned_anew(installed: Database) -> None:
    """A column added while the feed runs is in the next change."""
    listener = Listener()
    feed = feed_on(installed, listener)
    await feed.start()
    join = "insert into waiting_queue (user_id) select id from auth.users limit 1"
    try:
        await users(installed, 1)
        async with installed.connection() as connection:
            await connection.execute(join)
            await listener.next(1)
            await connection.execute("alter table waiting_queue add column mood text default 'calm'")
            await connection.execute("delete from waiting_queue")
            await connection.execute(join)
            data = orjson.loads((await listener.next(2))[1].data())
            await connection.execute("alter table waiting_queue drop column mood")
            await connection.execute("delete from waiting_queue")
        assert data["record"]["mood"] == "calm"
        assert data["columns"][-1] == {"name": "mood", "type": "text"}
    finally:
        await feed.stop()


async def test_idle_the_slot_still_moves(installed: Database) -> None:
    """With nobody listening the log is let go all the same, and whoever listens next is told of later changes.

    A read that ends as the listener comes may still bring an earlier change: subscriptions know their position.
    """
    listener = Listener()
    listener.listening = False
    feed = feed_on(installed, listener)
    await feed.start()
    lag = """select pg_current_wal_lsn() - confirmed_flush_lsn from pg_replication_slots
              where database = current_database() and confirmed_flush_lsn < $1::text::pg_lsn"""
    try:
        await users(installed, 20)
        async with installed.connection() as connection:
            await connection.execute("insert into waiting_queue (user_id) select id from auth.users limit 1")
            written = await connection.fetchval("select pg_current_wal_lsn()::text")
            async with asyncio.timeout(PATIENCE):
                while await connection.fetchval(lag, written) is not None:
                    pass
            listener.listening = True
            await connection.execute("delete from waiting_queue")
        while (await listener.next(1))[0].kind != "DELETE":
            pass
    finally:
        await feed.stop()


async def test_stopping_lets_the_slot_go(installed: Database) -> None:
    """After stop no slot is left that would keep the log for ever; a second stop does nothing."""
    feed = feed_on(installed, Listener())
    await feed.start()
    assert len(await slots(installed)) == 1
    await feed.stop()
    await feed.stop()
    async with asyncio.timeout(PATIENCE):
        while await slots(installed):
            pass


async def test_a_lost_connection_is_made_again(site: Site, database_url: str) -> None:
    """When PostgreSQL cuts the feed, the same sockets are told of changes again, without doing anything."""
    one, other = await site.users(2)
    async with site.client() as client:
        await client.subscribe(f"realtime:m:{one}", sessions_of(one), token=site.token(one))
        owner = await asyncpg.connect(database_url)
        try:
            cut = """select pg_terminate_backend(active_pid) from pg_replication_slots
                      where database = current_database() and slot_name = $1"""
            (slot,) = await slots(site.database)
            assert await owner.fetchval(cut, slot)
        finally:
            await owner.close()
        async with asyncio.timeout(PATIENCE):
            while slot in (names := await slots(site.database)) or not names:
                pass
        session = await site.session(one, other)
        assert (await client.receive()).payload["data"]["record"]["id"] == str(session)


async def test_no_slot_left_is_one_line(installed: Database) -> None:
    """Where PostgreSQL has no replication slot left the server refuses to start and says what to raise."""
    async with installed.connection() as connection:
        most = int(await connection.fetchval("select current_setting('max_replication_slots')"))
        used = int(await connection.fetchval("select count(*) from pg_replication_slots"))
    taken = [feed_on(installed, Listener()) for _ in range(most - used)]
    try:
        for feed in taken:
            await feed.start()
        with pytest.raises(Refused, match="raise max_replication_slots"):
            await feed_on(installed, Listener()).start()
    finally:
        for feed in taken:
            await feed.stop()


# ---------------------------------------------------------------- who sees a row


async def prepared(connection: Connection, table: str) -> str:
    """The query that tells who sees a table's rows; it serves this connection alone."""
    query = await connection.fetchval("select gurukul.realtime_prepare($1::text::regclass::oid)", table)
    assert isinstance(query, str)
    return query


def claims_of(*users: UUID) -> list[str]:
    return [f'{{"sub": "{user}"}}' for user in users]


async def test_one_round_trip_answers_for_many_subscribers(site: Site) -> None:
    """Each subscriber is judged with his own claims; broken claims cost nobody else his answer."""
    one, other, stranger = await site.users(3)
    sessions = [await site.session(one, other), await site.session(other, stranger), uuid4()]
    claims = [*claims_of(one, other, stranger), "{}", '{"sub": "nobody"}', "not json", *claims_of(one)]
    keys = [orjson.dumps(sessions).decode()] * len(claims)
    async with site.database.connection() as connection:
        query = await prepared(connection, "chat_sessions")
        rows = await connection.fetch(query, [], "authenticated", claims, keys)
        anonymous = await connection.fetch(query, [], "anon", claims, keys)
        again = await connection.fetch(query, [], "authenticated", claims, keys)
        own = await connection.fetchval("select current_user = session_user and current_setting('role') = 'none'")
    assert {(row[0], row[1]) for row in rows} == {(1, 1), (2, 1), (2, 2), (3, 2), (7, 1)}
    assert (list(anonymous), again) == ([], rows)
    assert own, "the connection has its own role back"


async def test_keys_of_several_columns_are_looked_up(site: Site) -> None:
    """A table whose primary key has two columns is asked for with both, and one without a key is not asked for."""
    async with site.database.connection() as connection:
        await connection.execute("create table public.pairs (a int, b text, primary key (b, a))")
        await connection.execute("create table public.heap (a int)")
        try:
            await connection.execute("grant select on public.pairs to anon")
            await connection.execute("insert into public.pairs values (1, 'x'), (2, 'y')")
            query = await prepared(connection, "pairs")
            keys = orjson.dumps(['["x","1"]', '["x","2"]', '["y","2"]']).decode()
            rows = await connection.fetch(query, [], "anon", ["{}"], [keys])
            keyless = await connection.fetchval("select gurukul.realtime_prepare('public.heap'::regclass)")
        finally:
            await connection.execute("drop table public.pairs, public.heap")
    assert ([tuple(row) for row in rows], keyless) == ([(1, 1), (1, 3)], None)


async def scans(connection: Connection) -> dict[str, tuple[int, int]]:
    """How often each table was read as a whole, and by an index, as this connection counts."""
    query = """select relname::text, seq_scan, idx_scan from pg_stat_xact_user_tables
                where schemaname = 'public' and relname in ('messages', 'chat_sessions')"""
    return {row[0]: (row[1], row[2]) for row in await connection.fetch(query)}


async def test_rows_are_found_by_their_key(site: Site) -> None:
    """However large the table is, nobody's question reads the whole of it: row-level security does not hide the index.

    The plan is made while the table is small and must hold when it has grown.
    """
    one, other = await site.users(2)
    first = await site.session(one, other)
    insert = """insert into messages (id, session_id, sender_id)
                select md5($3 || n)::uuid, $1, $2 from generate_series(1, $4::int) n"""
    async with site.database.connection() as connection:
        query = await prepared(connection, "messages")
        for batch, count in (("few", 1), ("many", 3000)):
            await connection.execute(insert, first, one, batch, count)
            key = await connection.fetchval("select id::text from messages where session_id = $1 limit 1", first)
            async with connection.transaction():
                before = await scans(connection)
                keys = [orjson.dumps([key]).decode()]
                rows = await connection.fetch(query, [], "authenticated", claims_of(other), keys)
                after = await scans(connection)
            assert [tuple(row) for row in rows] == [(1, 1)]
            made = {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}
            assert made == {"messages": (0, 1), "chat_sessions": (0, 1)}


async def test_a_row_is_not_judged_before_its_transaction_is_visible(site: Site, database_url: str) -> None:
    """The log may tell of a commit before others can see it: the answer waits until that transaction is over.

    Here the transaction is still open when the question is put, which looks the same to the one who asks.
    """
    one, other = await site.users(2)
    session = uuid4()
    writer = await asyncpg.connect(database_url)
    try:
        transaction = writer.transaction()
        await transaction.start()
        insert = "insert into chat_sessions (id, user1_id, user2_id) values ($1, $2, $3)"
        await writer.execute(insert, session, one, other)
        xid = await writer.fetchval("select (pg_current_xact_id()::text::bigint & 4294967295)")
        running = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
        async with site.database.connection() as connection, site.database.connection() as watcher:
            query = await prepared(connection, "chat_sessions")
            keys = [orjson.dumps([session]).decode()]
            asked = asyncio.create_task(connection.fetch(query, [xid], "authenticated", claims_of(one), keys))
            async with asyncio.timeout(PATIENCE):
                while not await watcher.fetchval(running):
                    pass
            await transaction.commit()
            rows = await asked
    finally:
        await writer.close()
    assert [tuple(row) for row in rows] == [(1, 1)]
