"""What the checks say: one line for each, `ok <name>` or `not ok <name>: <what was expected and what came>`."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class SuiteEnd(Exception):
    """Ends a suite early: what its later checks build on did not come about."""


class Unmet(Exception):
    """An expectation that did not hold; says what was expected and what came."""


class Report:
    """Counts the checks and prints a line for each."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def ok(self, name: str) -> None:
        self.passed += 1
        say(f"ok {name}")

    def not_ok(self, name: str, reason: str) -> None:
        self.failed += 1
        say(f"not ok {name}: {' | '.join(reason.split(chr(10)))[:1500]}")

    def close(self) -> None:
        say(f"{self.passed} passed, {self.failed} failed")


class Suite:
    """The checks of one kind, named `<suite>: <check>`."""

    def __init__(self, report: Report, name: str) -> None:
        self.report = report
        self.name = name

    async def check(self, name: str, body: Callable[[], Awaitable[T]]) -> T | None:
        """Runs one check; returns what it returns, or None where it failed."""
        try:
            value = await asyncio.wait_for(body(), 30)
        except Exception as error:  # noqa: BLE001 — a check may fail in any way, and says so
            self.report.not_ok(f"{self.name}: {name}", describe(error))
            return None
        self.report.ok(f"{self.name}: {name}")
        return value

    async def must(self, name: str, body: Callable[[], Awaitable[T]]) -> T:
        """A check that the rest of the suite builds on: where it fails, the suite ends."""
        failed = self.report.failed
        value = await self.check(name, body)
        if value is None and self.report.failed > failed:
            raise SuiteEnd(name)
        return value  # type: ignore[return-value]


def say(line: str) -> None:
    """One line on standard output."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def equal(what: str, got: object, wanted: object) -> None:
    """Expects equality."""
    if got != wanted:
        raise Unmet(f"{what}: expected {shown(wanted)}, got {shown(got)}")


def includes(what: str, got: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Expects all members of `wanted` in `got`."""
    for key, value in wanted.items():
        if key not in got or got[key] != value:
            raise Unmet(f"{what}.{key}: expected {shown(value)}, got {shown(got.get(key))} in {shown(got)}")


def matches(what: str, got: object, pattern: str) -> None:
    """Expects a text of that form."""
    if not re.search(pattern, str(got)):
        raise Unmet(f"{what}: expected the form {pattern}, got {shown(got)}")


def holds(what: str, condition: object, wanted: str, got: object = None) -> None:
    """Expects that `condition` holds; `wanted` says what should have been."""
    if not condition:
        raise Unmet(f"{what}: expected {wanted}, got {shown(got)}")


async def fails(what: Awaitable[Any], **wanted: object) -> Any:
    """Expects that it raises an error with these attributes; returns the error."""
    try:
        value = await what
    except Exception as error:  # noqa: BLE001 — each part of the client has its own kind of error
        got = {name: getattr(error, name, None) for name in wanted}
        if got != wanted:
            raise Unmet(f"expected an error {shown(wanted)}, got {describe(error)}") from None
        return error
    raise Unmet(f"expected an error {shown(wanted)}, got success with {shown(value)}")


def shown(value: object) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


def describe(error: BaseException) -> str:
    if isinstance(error, Unmet):
        return str(error)
    if isinstance(error, TimeoutError):
        return "expected an end within 30 s, got none"
    more = {name: getattr(error, name) for name in ("code", "status", "details", "hint") if getattr(error, name, None)}
    cause = error.__cause__ or error.__context__
    because = f" because of {type(cause).__name__}: {cause}" if cause else ""
    return f"{type(error).__name__}: {error} {shown(more) if more else ''}{because}".rstrip()
