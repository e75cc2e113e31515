"""Polls that come together are read in one round trip, each with its caller's rights; a lone one waits for nobody.

Thousands of searching users ask every few seconds for the one session they might have (PROTOCOL 2.1). A transaction of
three round trips for each of them would be most of what the server does, so the statement of a poll is made into a
function that runs it for many callers, one after the other, under the role and the claims of each.
"""
# ruff: noqa: S608 — the text of a statement is `statements.py`'s: names of the catalogue, and a number for each value

from __future__ import annotations

import asyncio
import itertools
import logging
import re
from dataclasses import dataclass

import orjson

from reference_server.auth import Claims
from reference_server.db import Connection, Database, Record
from reference_server.rest.statements import Statement
from reference_server.rest.tree import Comparison, Condition, Is, Logic, Membership, Query

log = logging.getLogger(__name__)

BATCH_LIMIT = 200
"""Polls of one statement at most; what is over goes with the next."""
SHAPES = 32
"""Statements that are kept as functions; the clients of one application have two or three. The one that nobody has
asked for longest makes way for another."""
CONDITIONS = 8
"""Of a poll at most: `is_poll`."""
ROLE = "authenticated"
_CLOSE_TIMEOUT = 5.0
_PARAMETER = re.compile(r"\$(\d+)")

# The connection is of the owner, and temporary functions are its own. The plan must not age with the table, which may
# be empty when it is made: so it may not scan it.
_MAKE = """
create function {name}({types}, text[], text, text)
returns table (place int, body text, rows bigint)
language plpgsql set plan_cache_mode = force_generic_plan set enable_seqscan = off as $poll$
#variable_conflict use_column
begin
    perform set_config('transaction_read_only', 'on', true), set_config('role', '{role}', true),
            set_config('request.method', ${method}, true), set_config('request.path', ${path}, true);
    for n in 1 .. cardinality(${claims}) loop
        perform set_config('request.jwt.claims', (${claims})[n], true);
        return query select n, one.body, one.rows from ({statement}) as one;
    end loop;
end
$poll$
"""


def is_poll(query: Query) -> bool:
    """Whether a query is one that clients repeat: it asks for one row, and looks at the values of a few columns only.

    Whatever takes time of its own (a pattern, a search, a look into JSON) is read alone: others wait for those who are
    read together with them.
    """
    conditions = [*query.where]
    fields = [item.field for item in query.select or ()] + [order.field for order in query.order]
    for number, condition in enumerate(conditions):  # grows by what stands within
        if number == CONDITIONS or not _is_cheap(condition):
            return False
        if isinstance(condition, Logic):
            conditions += condition.conditions
        else:
            fields.append(condition.field)
    return query.limit == 1 and not any(field.path for field in fields)


def _is_cheap(condition: Condition) -> bool:
    if isinstance(condition, Membership):
        return len(condition.values) <= CONDITIONS
    if isinstance(condition, Comparison):
        return condition.operator in {"eq", "neq"} and not condition.quantifier
    return isinstance(condition, Is | Logic)


def _fits(statement: Statement) -> bool:
    return all(type(value) in (str, int) for value in statement.parameters)


@dataclass(slots=True, eq=False)
class _Poll:
    statement: Statement
    claims: str
    request: tuple[str, str]
    answer: asyncio.Future[Record | None]

    @property
    def shape(self) -> tuple[str, tuple[str, str]]:
        """What polls must have in common to be read together."""
        return self.statement.text, self.request


@dataclass(frozen=True, slots=True)
class _Function:
    """A function of the connection that runs one statement for many, and the statement that calls it."""

    name: str
    call: str


class Polls:
    """Reads one batch at a time on a connection of its own, while the next gathers. Use between `start` and `stop`.

    Where they are not to be read `together`, each is read alone, as the document's deployment does.
    """

    def __init__(self, database: Database, *, together: bool = True) -> None:
        self._database = database
        self._together = together
        self._connection: Connection | None = None
        self._functions: dict[str, _Function] = {}
        """By the text of a statement, in the order of their last use."""
        self._numbers = itertools.count()
        self._gathering: list[_Poll] = []
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Nothing is needed before the first poll."""

    async def stop(self) -> None:
        """Answers what has come, then closes the connection."""
        self._together = False
        if self._reading is not None:
            await asyncio.wait({self._reading})
        await self._hang_up()

    async def read(self, statement: Statement, claims: Claims, method: str, path: str) -> Record | None:
        """The statement's one row, as this caller may see it; None where it must be read alone.

        That is so for another role, for values that are no texts and numbers, and after an error of any of those who
        were read together: read alone, each gets his own. `is_poll` says which queries come here.
        """
        if not self._together or claims.role != ROLE or not _fits(statement):
            return None
        answer: asyncio.Future[Record | None] = asyncio.get_running_loop().create_future()
        raw = orjson.dumps(claims.raw).decode()
        self._gathering.append(_Poll(statement, raw, (method, path), answer))
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_all(), name="polls")
        return await answer

    async def _read_all(self) -> None:
        while self._gathering:
            gathered, self._gathering = self._gathering, []
            shapes: dict[object, list[_Poll]] = {}
            for poll in gathered:
                shapes.setdefault(poll.shape, []).append(poll)
            for polls in shapes.values():
                for start in range(0, len(polls), BATCH_LIMIT):
                    await self._read_together(polls[start : start + BATCH_LIMIT])

    async def _read_together(self, polls: list[_Poll]) -> None:
        rows: list[Record | None] = [None] * len(polls)
        try:
            rows = list(await self._rows(polls))
        except Exception as error:  # noqa: BLE001 — the rim: whatever it is, each of them gets his own when he is alone
            log.info("%d polls are read one by one: %s", len(polls), error)
        finally:
            for poll, row in zip(polls, rows, strict=True):
                if not poll.answer.done():  # he has gone away
                    poll.answer.set_result(row)

    async def _rows(self, polls: list[_Poll]) -> list[Record]:
        connection = await self._own_connection()
        first = polls[0].statement
        function = self._functions.pop(first.text, None) or await self._make(connection, first)
        self._functions[first.text] = function
        columns = zip(*(poll.statement.parameters for poll in polls), strict=True)
        claims = [poll.claims for poll in polls]
        rows = await connection.fetch(function.call, *map(list, columns), claims, *polls[0].request)
        if len(rows) != len(polls):
            raise RuntimeError(f"{len(polls)} polls were answered with {len(rows)} rows")
        return rows

    async def _make(self, connection: Connection, statement: Statement) -> _Function:
        """Makes the function of a statement; where there are enough, in place of the one that was used longest ago."""
        if len(self._functions) >= SHAPES:
            forgotten = self._functions.pop(next(iter(self._functions)))
            await connection.execute(f"drop function {forgotten.name}")
        name, values = f"pg_temp.poll_{next(self._numbers)}", len(statement.parameters)
        types = ", ".join("bigint[]" if isinstance(value, int) else "text[]" for value in statement.parameters)
        text = _PARAMETER.sub(r"($\1)[n]", statement.text)
        places = {"claims": values + 1, "method": values + 2, "path": values + 3}
        await connection.execute(_MAKE.format(name=name, types=types, role=ROLE, statement=text, **places))
        given = ", ".join(f"${place}" for place in range(1, values + 4))
        return _Function(name, f"select body, rows from {name}({given}) order by place")

    async def _own_connection(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._functions = {}
            self._connection = await self._database.dedicated(patience_of=ROLE)
        return self._connection

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close(timeout=_CLOSE_TIMEOUT)
