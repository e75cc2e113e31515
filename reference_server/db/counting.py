"""Connections that count the statements they send: what a match costs is told by them (docs/operation.md)."""

from __future__ import annotations

from typing import Any

from reference_server.db.connection import driver


class Statements:
    """How many statements have been sent to the database; a text that holds several counts once."""

    def __init__(self) -> None:
        self.sent = 0


def counted(statements: Statements) -> type[Any]:
    """A kind of connection that counts what it sends, the begin and the end of transactions among it."""

    def counting(name: str) -> Any:
        send = getattr(driver.Connection, name)

        def sent(self: Any, *args: Any, **kwargs: Any) -> Any:
            statements.sent += 1
            return send(self, *args, **kwargs)

        return sent

    names = ("execute", "executemany", "fetch", "fetchrow", "fetchval")
    return type("CountingConnection", (driver.Connection,), {"__slots__": (), **{n: counting(n) for n in names}})
