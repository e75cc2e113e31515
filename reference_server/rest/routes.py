"""The HTTP routes of the PostgREST subset: five tables and the matchmaking's functions (PROTOCOL 2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from reference_server.auth import Claims, TokenError
from reference_server.auth.tokens import SKEW
from reference_server.db import Connection, Database, DatabaseError, Record, Unavailable
from reference_server.remembered import Remembered
from reference_server.rest import errors, statements
from reference_server.rest.answers import change_answer, content_location, read_answer, shaped
from reference_server.rest.catalogue import Catalogue, Function, Table
from reference_server.rest.errors import RestError, Version, no_such_path, not_served, too_many, wrong_method
from reference_server.rest.grammar import is_filter, parse_query, parse_range
from reference_server.rest.payload import read_arguments, read_changes, read_rows
from reference_server.rest.polls import Polls, is_poll
from reference_server.rest.preferences import Preferences, check_body_type, preferences_of
from reference_server.rest.statements import MAX_ROWS, Statement
from reference_server.rest.tree import Query
from reference_server.sessions.liveness import Liveness
from reference_server.web.body import BadBody, header, read_body
from reference_server.web.caller import Gateway
from reference_server.web.lean import Lean

WATCHED = frozenset({"chat_sessions", "waiting_queue"})
"""Who reads these is waiting or talking; their cheap reads are polls."""
ALIVE = WATCHED | {"messages"}
"""Who reads these, or writes a message, shows life."""
PLANS_KEPT = 65_536
"""Query strings whose statements are kept: each searching user polls with one of his own."""
LONGEST_KEPT = 1_000
"""Characters of a query string whose statement is kept; the poll has about 200."""
_BASE = "/rest/v1/"
_METHODS = ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "TRACE"]
"""Those that are answered in PostgREST's shape."""
_OF_TABLES = "OPTIONS,GET,HEAD,POST,PATCH,DELETE"
_OF_FUNCTIONS = "OPTIONS,GET,HEAD,POST"
_READS = frozenset({"GET", "HEAD"})
_OWN = frozenset({"select", "order", "limit", "offset", "and", "or", "not.and", "not.or", "columns", "on_conflict"})
"""Parameters of a call that are no arguments."""
_Handler = Callable[[Request, Claims], Awaitable[Response]]
_Transaction = AbstractAsyncContextManager[Connection]


def routes(
    database: Database,
    polls: Polls,
    gateway: Gateway,
    liveness: Liveness,
    catalogue: Catalogue,
    version: Version = "13",
) -> list[BaseRoute]:
    """The routes under /rest/v1, each behind the gateway's check of the project's key."""
    rest = _Rest(database, polls, gateway, liveness, catalogue, version)
    tables = [f"{_BASE}{name}" for name in catalogue.tables]
    return [
        Route(f"{_BASE}rpc/{{function}}", rest.endpoint(rest.call), methods=_METHODS),
        Route(f"{_BASE}{{table}}", Lean(rest.endpoint(rest.rows), tables), methods=_METHODS),
        Route(f"{_BASE}{{nothing:path}}", rest.endpoint(rest.nothing), methods=_METHODS),
    ]


class _Rest:
    def __init__(
        self,
        database: Database,
        polls: Polls,
        gateway: Gateway,
        liveness: Liveness,
        catalogue: Catalogue,
        version: Version,
    ) -> None:
        self._database = database
        self._polls = polls
        self._plan = Remembered(self._planned, PLANS_KEPT)
        self._gateway = gateway
        self._liveness = liveness
        self._catalogue = catalogue
        self._version = version

    def endpoint(self, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        """Knows the caller before the handler runs, and gives every refusal its shape."""

        async def endpoint(request: Request) -> Response:
            if (refusal := self._gateway.refusal(request)) is not None:
                return refusal
            role = "anon"
            try:
                claims = self._gateway.caller(request, leeway=SKEW)
                role = claims.role
                return await handler(request, claims)
            except RestError as error:
                return errors.response(error, self._version)
            except TokenError as error:
                return errors.response(errors.of_token(error), self._version)
            except BadBody as error:
                return errors.response(RestError(error.status, "PGRST102", error.message), self._version)
            except DatabaseError as error:
                return errors.response(errors.of_database(error, role), self._version)
            except Unavailable as error:
                return errors.response(errors.unreachable(error), self._version)

        return endpoint

    async def rows(self, request: Request, claims: Claims) -> Response:
        """Reads or changes a table."""
        table = self._catalogue.table(request.scope["path"].removeprefix(_BASE))
        preferences = preferences_of(request.method, request.scope["headers"])
        match request.method:
            case "GET" | "HEAD":
                return await self._read(request, claims, table, preferences)
            case "POST":
                return await self._insert(request, claims, table, preferences)
            case "PATCH":
                return await self._update(request, claims, table, preferences)
            case "DELETE":
                query = _query(request)
                _check_change(query, "DELETE")
                statement = statements.delete(table, query, returning=preferences.returning)
                return await self._change(request, claims, statement, preferences)
            case "OPTIONS":
                return Response(headers={"allow": _OF_TABLES})
            case method:
                raise wrong_method(method, _OF_TABLES)

    async def nothing(self, _request: Request, _claims: Claims) -> Response:
        """Refuses what is no address of a table or a function."""
        raise no_such_path()

    async def call(self, request: Request, claims: Claims) -> Response:
        """Calls a function: with a JSON object of arguments, or by GET with arguments among the parameters.

        A call by GET changes nothing: PostgreSQL refuses it in a transaction that only reads (PROTOCOL 2.4).
        """
        preferences = preferences_of(request.method, request.scope["headers"])
        pairs = _pairs(request)
        match request.method:
            case "GET" | "HEAD":
                mine = [pair for pair in pairs if pair[0] not in _OWN and not is_filter(pair[1])]
                named = {key: value for key, value in mine if key != "apikey"}
                pairs = [pair for pair in pairs if pair not in mine]
                body, given = orjson.dumps(named).decode(errors="replace"), frozenset(named)
            case "POST":
                body, given = read_arguments(await _body(request))
            case "OPTIONS":
                return Response(headers={"allow": _OF_FUNCTIONS})
            case method:
                raise wrong_method(method, _OF_FUNCTIONS)
        function = self._catalogue.function(request.path_params["function"], given)
        query = _ranged(request, parse_query(pairs))
        statement = statements.call(function, body, given, query, strip_nulls=preferences.strip_nulls)
        return await self._called(request, claims, function, statement, query, preferences)

    async def _called(
        self,
        request: Request,
        claims: Claims,
        function: Function,
        statement: Statement,
        query: Query,
        preferences: Preferences,
    ) -> Response:
        async with self._as_caller(request, claims, read_only=request.method in _READS) as connection:
            row = await _run(connection, statement)
            text, rows = row["body"], row["rows"]
            if function.result == "rows":
                text = shaped(text, rows, preferences)
        if function.result == "void":
            return Response(status_code=204)
        return read_answer(text, rows, query.offset, None, preferences)

    async def _read(self, request: Request, claims: Claims, table: Table, preferences: Preferences) -> Response:
        if claims.sub is not None and table.name in ALIVE:
            self._liveness.seen(claims.sub)
        raw = _raw_query(request)
        if header(request, b"range") or preferences.strip_nulls or len(raw) > LONGEST_KEPT:
            query = _ranged(request, _query(request))
            statement = statements.select(table, query, strip_nulls=preferences.strip_nulls)
            location, polled = content_location(table.name, raw), False
        else:
            query, statement, location, polled = self._plan((table.name, raw))
        total: int | None = None
        row: Record | None = None
        if polled and not preferences.count:
            row = await self._polls.read(statement, claims, request.method, request.scope["path"])
        if row is None:
            async with self._as_caller(request, claims, read_only=True) as connection:
                row = await _run(connection, statement)
                if preferences.count:
                    total = await _total(connection, table, query, preferences)
        text = shaped(row["body"], row["rows"], preferences)
        return read_answer(text, row["rows"], query.offset, total, preferences, location)

    async def _insert(self, request: Request, claims: Claims, table: Table, preferences: Preferences) -> Response:
        query = _query(request)
        if query.where or query.order or query.limit is not None or query.offset:
            raise not_served("a condition, an order or a limit on POST")
        rows = read_rows(table, await _body(request), query.columns)
        if rows.number == 0:
            return change_answer("[]", 0, preferences, 201, table)
        if rows.number > 1 and not rows.columns:
            raise not_served("several rows without a column")
        statement = statements.insert(
            table,
            query,
            rows.text,
            rows.columns,
            preferences.resolution,
            returning=preferences.returning,
            defaults=preferences.defaults,
        )
        if claims.sub is not None and table.name == "messages":
            self._liveness.seen(claims.sub)
        return await self._change(request, claims, statement, preferences, table)

    async def _update(self, request: Request, claims: Claims, table: Table, preferences: Preferences) -> Response:
        query = _query(request)
        _check_change(query, "UPDATE")
        body, columns = read_changes(table, await _body(request), query.columns)
        if not columns:
            return change_answer("[]", 0, preferences, 200)
        statement = statements.update(table, query, body, columns, returning=preferences.returning)
        return await self._change(request, claims, statement, preferences)

    async def _change(
        self,
        request: Request,
        claims: Claims,
        statement: Statement,
        preferences: Preferences,
        into: Table | None = None,
    ) -> Response:
        """Runs a change; `into` is the table that gets new rows."""
        async with self._as_caller(request, claims) as connection:
            row = await _run(connection, statement)
            text, rows = row["body"], row["rows"]
            # Inside the transaction: where one row was asked for and there are others, nothing is changed.
            if preferences.most is not None and rows > preferences.most:
                raise too_many(rows)
            if preferences.returning == "rows":
                text = shaped(text, rows, preferences)
        # An upsert that made no new row has changed some.
        status = 201 if into is not None and row.get("inserted") != 0 else 200
        return change_answer(text, rows, preferences, status, into)

    def _as_caller(self, request: Request, claims: Claims, read_only: bool = False) -> _Transaction:
        return self._database.as_caller(claims, read_only, method=request.method, path=request.scope["path"])

    def _planned(self, asked: tuple[str, str]) -> tuple[Query, Statement, str, bool]:
        """What a query string asks of a table, where the answer lies, and whether that is a poll: the same text always
        means the same, and a client asks the same at every poll."""
        table, raw_query = asked
        query = parse_query(parse_qsl(raw_query, keep_blank_values=True))
        statement = statements.select(self._catalogue.tables[table], query)
        return query, statement, content_location(table, raw_query), table in WATCHED and is_poll(query)


async def _body(request: Request) -> bytes:
    check_body_type(request.headers)
    return await read_body(request)


def _query(request: Request) -> Query:
    return parse_query(_pairs(request))


def _ranged(request: Request, query: Query) -> Query:
    """The query within the Range header, which only reads have."""
    text = request.headers.get("range")
    return parse_range(text, query) if text is not None and request.method in _READS else query


def _pairs(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(_raw_query(request), keep_blank_values=True)


def _raw_query(request: Request) -> str:
    """The query string as it came: bytes that are no UTF-8 are refused by the grammar, no decoder fails on them."""
    raw: bytes = request.scope["query_string"]
    return raw.decode("latin-1")


def _check_change(query: Query, what: str) -> None:
    """No change of a whole table (as Supabase's safeupdate has it), and no limits on changes."""
    if not query.where:
        raise RestError(400, "21000", f"{what} requires a WHERE clause")
    if query.order or query.limit is not None or query.offset:
        raise not_served(f"an order or a limit on {what}")


async def _total(connection: Connection, table: Table, query: Query, preferences: Preferences) -> int:
    """How many rows there are beside those that were asked for: counted, guessed, or counted as far as one reads."""
    if preferences.count == "exact":
        return int((await _run(connection, statements.count(table, query)))["rows"])
    counted = 0
    if preferences.count == "estimated":
        counted = int((await _run(connection, statements.count_to(table, query, MAX_ROWS + 1)))["rows"])
        if counted <= MAX_ROWS:
            return counted
    statement = statements.plan(table, query)
    plan = orjson.loads(await connection.fetchval(statement.text, *statement.parameters))
    return max(counted, int(plan[0]["Plan"]["Plan Rows"]))


async def _run(connection: Connection, statement: Statement) -> Record:
    row = await connection.fetchrow(statement.text, *statement.parameters)
    if row is None:
        raise RuntimeError("a statement that always answers with one row answered with none")
    return row
