"""Installs the schema and an engine's SQL into a database, once, and recognises what is there already."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib.resources import files

from reference_server.db.connection import Connection, DatabaseError, Refused

Rewrite = Callable[[list[str]], list[str]]
LOCK = 0x67757275  # "guru": instances that start at once wait for the one that installs

# What somebody else has put here: schemas, and things in public that no extension brought along.
_FOREIGN = """
select 'schema ' || nspname as thing from pg_namespace
 where nspname <> 'public' and nspname <> 'information_schema' and nspname !~ '^pg_'
   and not exists (select 1 from pg_depend d where d.objid = pg_namespace.oid and d.deptype = 'e')
union all
select 'table public.' || relname from pg_class
 where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'm', 'S', 'f', 'p')
   and not exists (select 1 from pg_depend d where d.objid = pg_class.oid and d.deptype = 'e')
union all
select 'function public.' || proname from pg_proc
 where pronamespace = 'public'::regnamespace
   and not exists (select 1 from pg_depend d where d.objid = pg_proc.oid and d.deptype = 'e')
union all
select 'publication ' || pubname from pg_publication where pubname = 'supabase_realtime'
limit 1
"""


def schema_texts() -> list[str]:
    """The SQL that every engine shares, in the order in which it runs."""
    parts = (
        ("db", "schema.sql"),
        ("realtime", "realtime.sql"),
        ("sessions", "sessions.sql"),
        ("limits", "limits.sql"),
        ("jobs", "jobs.sql"),
    )
    found = (files("reference_server").joinpath(*part) for part in parts)
    return [text.read_text(encoding="utf-8") for text in found if text.is_file()]


def fingerprint(texts: list[str]) -> int:
    """The version of an installation: a number (31 bits) that changes whenever the SQL does."""
    return zlib.crc32("\0".join(texts).encode()) & 0x7FFFFFFF


def as_written(texts: list[str]) -> list[str]:
    """The SQL of a server without a fault."""
    return texts


async def install(connection: Connection, engine: str, engine_sql: str, rewritten: Rewrite = as_written) -> None:
    """Installs everything in one transaction, or keeps what the same engine and version installed before.

    `rewritten` makes of our SQL what is installed.

    Raises:
        Refused: the database holds another engine, another version, or things that are not ours.
    """
    texts = rewritten([text for text in (*schema_texts(), engine_sql) if text.strip()])
    version = fingerprint(texts)
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", LOCK)
        database = await connection.fetchval("select current_database()")
        if await _is_installed(connection, database, engine, version):
            return
        await _check_empty(connection, database)
        try:
            for text in texts:
                await connection.execute(text)
        except DatabaseError as error:
            if error.sqlstate != "42501":
                raise
            raise Refused(
                f"the database {database} does not let us install the schema ({error})",
                "use its owner, with the right to create roles",
            ) from error
        await connection.execute("insert into gurukul.installation (version, engine) values ($1, $2)", version, engine)


async def _is_installed(connection: Connection, database: str, engine: str, version: int) -> bool:
    if await connection.fetchval("select to_regclass('gurukul.installation')") is None:
        return False
    found = await connection.fetchrow("select engine, version from gurukul.installation")
    if found is None or found["engine"] != engine:
        other = found["engine"] if found else "no"
        raise Refused(
            f"the database {database} was made for the {other} engine, not for {engine}",
            f"use another database, or start with --engine {other}",
        )
    if found["version"] != version:
        raise Refused(
            f"the database {database} was made by another version of this server",
            "use a fresh database (dropdb, createdb)",
        )
    return True


async def _check_empty(connection: Connection, database: str) -> None:
    thing = await connection.fetchval(_FOREIGN)
    if thing is not None:
        raise Refused(
            f"the database {database} is not empty, it holds the {thing}", "use a fresh database (createdb gurukul)"
        )
