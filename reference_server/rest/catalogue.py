"""The tables and functions that are served, as the database has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from reference_server.db import Database
from reference_server.db.queries import load_queries
from reference_server.rest.errors import RestError

TABLES = ("profiles", "waiting_queue", "chat_sessions", "messages", "study_connections")
FUNCTIONS = ("find_match", "skip_partner", "cleanup_matchmaking")
_SQL = load_queries("reference_server.rest", "catalogue.sql")


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns in order, by name, with PostgreSQL's names of their types; its primary key; and the
    expressions, by column, of what a new row has where nothing is said."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    defaults: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its arguments' types by name, which of them it needs, what it answers with, and the columns of the
    rows where it answers with rows."""

    name: str
    arguments: dict[str, str]
    required: frozenset[str]
    result: Literal["void", "scalar", "rows"]
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is served of the schema `public`."""

    tables: dict[str, Table]
    functions: dict[str, Function]

    def table(self, name: str) -> Table:
        """Raises RestError (PGRST205) for a table that is not served."""
        if (table := self.tables.get(name)) is not None:
            return table
        near = get_close_matches(name, self.tables, n=1)
        hint = f"Perhaps you meant the table 'public.{near[0]}'" if near else None
        message = f"Could not find the table 'public.{name}' in the schema cache"
        raise RestError(404, "PGRST205", message, None, hint)

    def function(self, name: str, given: frozenset[str]) -> Function:
        """Raises RestError (PGRST202) where no function of that name takes these arguments."""
        function = self.functions.get(name)
        if function is not None and function.required <= given <= function.arguments.keys():
            return function
        listed = f"({', '.join(sorted(given))})" if given else " without parameters"
        details = f"Searched for the function public.{name} with the given parameters, but none matched."
        message = f"Could not find the function public.{name}{listed} in the schema cache"
        raise RestError(404, "PGRST202", message, details, self._function_hint(name))

    def _function_hint(self, name: str) -> str | None:
        near = get_close_matches(name, self.functions, n=1)
        return f"Perhaps you meant to call the function public.{near[0]}" if near else None


async def load_catalogue(database: Database) -> Catalogue:
    """Asks the database for what is served and exists; an engine may have columns and functions of its own."""
    async with database.connection() as connection:
        columns = await connection.fetch(_SQL["columns"], TABLES)
        functions = await connection.fetch(_SQL["functions"], FUNCTIONS)
    tables = dict[str, Table]()
    for row in columns:
        table = tables.get(row["table"], Table(row["table"], {}, ()))
        key = (*table.key, row["column"]) if row["in_key"] else table.key
        defaults = {row["column"]: row["default"]} if row["default"] is not None else {}
        tables[table.name] = Table(
            table.name, {**table.columns, row["column"]: row["type"]}, key, {**table.defaults, **defaults}
        )
    found = dict[str, Function]()
    for row in functions:
        names = row["names"][: row["inputs"]]
        required = frozenset(names[: row["inputs"] - row["defaults"]])
        arguments = dict(zip(names, row["types"], strict=True))
        answers = dict(zip(row["columns"], row["column_types"], strict=True))
        found[row["name"]] = Function(row["name"], arguments, required, row["result"], answers)
    return Catalogue(tables, found)
