"""The HTTP routes of the PostgREST subset: five tables and the matchmaking's functions (PROTOCOL 2)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from reference_server.auth import Claims, TokenError
from reference_server.auth.tokens import SKEW
from reference_server.db import Connection, Database, DatabaseError, Unavailable
from reference_server.rest import errors, statements
from reference_server.rest.catalogue import Catalogue, Table
from reference_server.rest.errors import RestError, not_served
from reference_server.rest.grammar import parse_query
from reference_server.rest.payload import read_arguments, read_changes, read_rows
from reference_server.rest.preferences import Preferences, read_preferences
from reference_server.rest.statements import Statement
from reference_server.rest.tree import Query
from reference_server.sessions.liveness import Liveness
from reference_server.web.body import BadBody, read_body
from reference_server.web.caller import Gateway

WATCHED = frozenset({"chat_sessions", "waiting_queue"})
"""Who reads these is waiting or talking: a sign of life."""
_METHODS = ["GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"]
_Handler = Callable[[Request, Claims], Awaitable[Response]]
_Transaction = AbstractAsyncContextManager[Connection]


def routes(database: Database, gateway: Gateway, liveness: Liveness, catalogue: Catalogue) -> list[BaseRoute]:
    """The routes under /rest/v1, each behind the gateway's check of the project's key."""
    rest = _Rest(database, gateway, liveness, catalogue)
    return [
        Route("/rest/v1/rpc/{function}", rest.endpoint(rest.call), methods=_METHODS),
        Route("/rest/v1/{table}", rest.endpoint(rest.rows), methods=_METHODS),
    ]


class _Rest:
    def __init__(self, database: Database, gateway: Gateway, liveness: Liveness, catalogue: Catalogue) -> None:
        self._database = database
        self._gateway = gateway
        self._liveness = liveness
        self._catalogue = catalogue

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
                return errors.response(error)
            except TokenError as error:
                return errors.response(errors.of_token(error))
            except BadBody as error:
                return errors.response(RestError(error.status, "PGRST102", error.message))
            except DatabaseError as error:
                return errors.response(errors.of_database(error, role))
            except Unavailable:
                return errors.response(errors.unreachable())

        return endpoint

    async def rows(self, request: Request, claims: Claims) -> Response:
        """Reads or changes a table."""
        table = self._catalogue.table(request.path_params["table"])
        preferences = read_preferences(request.method, request.headers)
        query = parse_query(_pairs(request))
        match request.method:
            case "GET" | "HEAD":
                return await self._read(request, claims, table, query, preferences)
            case "POST":
                return await self._insert(request, claims, table, query, preferences)
            case "PATCH":
                return await self._update(request, claims, table, query, preferences)
            case "DELETE":
                _check_change(query, "DELETE")
                statement = statements.delete(table, query, returning=preferences.returning)
                return await self._change(request, claims, statement, preferences, 200)
            case method:
                raise not_served(f"{method} on a table")

    async def call(self, request: Request, claims: Claims) -> Response:
        """Calls a function."""
        if request.method != "POST":
            raise not_served(f"{request.method} on a function")
        preferences = read_preferences(request.method, request.headers)
        if parameters := [key for key, _ in _pairs(request) if key != "apikey"]:
            raise not_served(f"'{parameters[0]}' on a function")
        body, given = read_arguments(await read_body(request))
        function = self._catalogue.function(request.path_params["function"], given)
        statement = statements.call(function, body, given)
        async with self._as_caller(request, claims) as connection:
            text, rows = await _run(connection, statement)
            if function.result == "rows":
                text = _shaped(text, rows, preferences)
        if function.result == "void":
            return Response(status_code=204)
        return _answer(text, preferences, headers=[("content-range", _range(0, rows))])

    async def _read(
        self, request: Request, claims: Claims, table: Table, query: Query, preferences: Preferences
    ) -> Response:
        if claims.sub is not None and table.name in WATCHED:
            self._liveness.seen(claims.sub)
        total: int | None = None
        async with self._as_caller(request, claims, read_only=True) as connection:
            text, rows = await _run(connection, statements.select(table, query))
            if preferences.count:
                _, total = await _run(connection, statements.count(table, query))
        if total is not None and query.offset > total:
            details = f"An offset of {query.offset} was requested, but there are only {total} rows."
            raise RestError(416, "PGRST103", "Requested range not satisfiable", details)
        headers = [
            ("content-range", _range(query.offset, rows, total)),
            ("content-location", _location(table, request)),
        ]
        status = 200 if total is None or rows >= total else 206
        return _answer(_shaped(text, rows, preferences), preferences, status, headers)

    async def _insert(
        self, request: Request, claims: Claims, table: Table, query: Query, preferences: Preferences
    ) -> Response:
        if query.where or query.order or query.limit is not None or query.offset:
            raise not_served("a condition, an order or a limit on POST")
        rows = read_rows(table, await read_body(request), query.columns)
        if rows.number == 0:
            return _changed("[]", preferences, 201)
        if rows.number > 1 and not rows.columns:
            raise not_served("several rows without a column")
        statement = statements.insert(
            table, query, rows.text, rows.columns, preferences.resolution, returning=preferences.returning
        )
        return await self._change(request, claims, statement, preferences, 201)

    async def _update(
        self, request: Request, claims: Claims, table: Table, query: Query, preferences: Preferences
    ) -> Response:
        _check_change(query, "UPDATE")
        body, columns = read_changes(table, await read_body(request), query.columns)
        if not columns:
            return _changed("[]", preferences, 200)
        statement = statements.update(table, query, body, columns, returning=preferences.returning)
        return await self._change(request, claims, statement, preferences, 200)

    async def _change(
        self, request: Request, claims: Claims, statement: Statement, preferences: Preferences, status: int
    ) -> Response:
        async with self._as_caller(request, claims) as connection:
            text, rows = await _run(connection, statement)
            # Inside the transaction: where one row was asked for and there are others, nothing is changed.
            if preferences.returning:
                text = _shaped(text, rows, preferences)
        return _changed(text, preferences, status)

    def _as_caller(self, request: Request, claims: Claims, read_only: bool = False) -> _Transaction:
        return self._database.as_caller(claims, read_only, method=request.method, path=request.scope["path"])


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


async def _run(connection: Connection, statement: Statement) -> tuple[str, int]:
    row = await connection.fetchrow(statement.text, *statement.parameters)
    if row is None:
        raise RuntimeError("a statement that always answers with one row answered with none")
    return row["body"], row["rows"]


def _shaped(text: str, rows: int, preferences: Preferences) -> str:
    """The array, or the one object in it. Raises RestError (PGRST116) where there are more or none."""
    if not preferences.single:
        return text
    if rows != 1:
        details = f"The result contains {rows} rows"
        raise RestError(406, "PGRST116", "Cannot coerce the result to a single JSON object", details)
    return text[1:-1]


def _range(offset: int, rows: int, total: int | None = None) -> str:
    """Content-Range as PostgREST writes it: `0-9/57`, `0-9/*`, `*/*`."""
    span = f"{offset}-{offset + rows - 1}" if rows else "*"
    return f"{span}/{'*' if total is None else total}"


def _location(table: Table, request: Request) -> str:
    """Content-Location: the table and the parameters in order, as they came, without the key."""
    parts = _raw_query(request).split("&")
    query = "&".join(sorted(part for part in parts if not part.startswith("apikey=")))
    return f"/{table.name}?{query}" if query else f"/{table.name}"


def _answer(
    text: str, preferences: Preferences, status: int = 200, headers: list[tuple[str, str]] | None = None
) -> Response:
    extra = dict(headers or ())
    if preferences.applied:
        extra["preference-applied"] = preferences.applied
    return Response(text, status, extra, media_type=preferences.media_type)


def _changed(text: str, preferences: Preferences, status: int) -> Response:
    """201 for new rows, 200 for changed ones where they are wanted back, else 201 or 204 without a body."""
    headers = [("content-range", "*/*")]
    if preferences.returning:
        return _answer(text, preferences, status, headers)
    if preferences.applied:
        headers.append(("preference-applied", preferences.applied))
    return Response(status_code=201 if status == 201 else 204, headers=dict(headers))
