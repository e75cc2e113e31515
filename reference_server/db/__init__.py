"""PostgreSQL: schema, pool, claims per transaction; the only place that imports asyncpg."""

from reference_server.db.connection import Connection, DatabaseError, Record, Refused, Unavailable
from reference_server.db.database import Database

__all__ = ["Connection", "Database", "DatabaseError", "Record", "Refused", "Unavailable"]
