"""Whether a PostgreSQL can carry the server, and the one line that says why not."""

from __future__ import annotations

from urllib.parse import urlsplit

from reference_server.db.connection import Connection, DatabaseError, Refused, driver

OLDEST = 150000
CONNECT_TIMEOUT = 10.0

_FACTS = """
select current_setting('server_version_num')::int as version,
       current_setting('server_version') as version_text,
       current_setting('wal_level') as wal_level,
       (select rolsuper or rolreplication from pg_roles where rolname = current_user) as may_replicate,
       current_user::text as caller
"""


def place(url: str) -> str:
    """The database of a URL in words that may be printed: never its password."""
    parts = urlsplit(url)
    host = parts.hostname or "the local socket"
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{host}{port}/{parts.path.lstrip('/')}"


def explain(error: BaseException, url: str) -> Refused:
    """Turns what the driver raised while it connected into one line."""
    where, said = place(url), " ".join(str(error).split())
    if isinstance(error, DatabaseError):
        what, remedy = _REFUSALS.get(error.sqlstate, (f"PostgreSQL at {{}} refused: {said}", "check the database URL"))
    elif isinstance(error, (driver.ClientConfigurationError, ValueError)):
        what = f"the database URL is not one ({said})"
        remedy = "write it as postgresql://user:password@host:5432/database"
    elif isinstance(error, TimeoutError):
        what, remedy = "PostgreSQL at {} does not answer", "check host and port of the database URL"
    else:
        what = "no PostgreSQL answers at {}"
        remedy = "start it, or check host and port of the database URL"
    return Refused(what.replace("{}", where), remedy)


_REFUSALS = {
    "28P01": ("PostgreSQL at {} refused the password", "check user and password of the database URL"),
    "28000": ("PostgreSQL at {} refused the user", "check user and password of the database URL"),
    "3D000": ("there is no database {}", "create it (createdb) or name another"),
    "53300": ("PostgreSQL at {} has no connections left", "raise its max_connections or lower --database-pool"),
    "57P03": ("PostgreSQL at {} does not take connections now", "try again in a moment"),
}


async def check_server(connection: Connection, url: str) -> None:
    """Raises Refused unless this is PostgreSQL 15 or newer with logical decoding for this user."""
    facts = await connection.fetchrow(_FACTS)
    if facts is None:
        raise Refused(f"PostgreSQL at {place(url)} says nothing of itself", "check the database URL")
    if facts["version"] < OLDEST:
        raise Refused(f"PostgreSQL {facts['version_text']} at {place(url)} is too old", "use PostgreSQL 15 or newer")
    if facts["wal_level"] != "logical":
        raise Refused(
            f"PostgreSQL at {place(url)} runs with wal_level={facts['wal_level']}",
            "run ALTER SYSTEM SET wal_level = 'logical' and restart it",
        )
    if not facts["may_replicate"]:
        raise Refused(
            f"the user {facts['caller']} at {place(url)} may not replicate",
            f'run ALTER ROLE "{facts["caller"]}" REPLICATION as a superuser',
        )
