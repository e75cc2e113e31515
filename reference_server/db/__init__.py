"""PostgreSQL: schema, pool, claims per transaction; the only place that imports asyncpg."""

from reference_server.db.connection import Connection, DatabaseError, NoneFree, Record, Refused, Unavailable
from reference_server.db.database import Database
from reference_server.db.replication import LogLost, LogStream

__all__ = [
    "Connection",
    "Database",
    "DatabaseError",
    "LogLost",
    "LogStream",
    "NoneFree",
    "Record",
    "Refused",
    "Unavailable",
]
