"""Regular expressions of filters: PostgreSQL decides, and none of them takes everybody's time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from reference_server.db import Connection, Database
from reference_server.realtime.expressions import PATIENCE_REST, STRIKES, Matcher
from tests.reference_server.pieces import SLOW

QUICK = ("abc", "^A", True)


@pytest.fixture
async def connection(shared: Database) -> AsyncIterator[Connection]:
    connection = await shared.dedicated()
    yield connection
    await connection.close()


async def test_what_matches(connection: Connection) -> None:
    """By PostgreSQL's rules, with case and without; what it cannot compile matches nothing, and the others do."""
    bad = ("abc", "((", False)
    asked = [QUICK, ("abc", "^A", False), bad, ("abc", r"\yabc\y", False)]
    assert await Matcher().matching(connection, asked) == {QUICK, ("abc", r"\yabc\y", False)}


async def test_what_takes_long_is_not_asked_for_ever(
    connection: Connection, shared: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The quick one is answered every time; after two strikes the slow one is not even sent."""
    matcher, slow = Matcher(), ("abc", SLOW, False)
    for _ in range(STRIKES):
        assert await matcher.matching(connection, [slow, QUICK]) == {QUICK}
    assert "not asked again" in caplog.text
    assert await matcher.matching(connection, [slow, QUICK]) == {QUICK}
    assert await matcher.matching(connection, [slow]) == set()
    assert len([record for record in caplog.records if "took longer" in record.message]) == STRIKES


async def test_many_that_take_long_have_a_limit_together(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A batch of changes waits for a limited time, and is then told to those who were answered."""
    slow = [("abc", f"{SLOW}{number}", False) for number in range(100)]
    assert await Matcher().matching(connection, [QUICK, *slow]) == {QUICK}
    struck = [record for record in caplog.records if "took longer" in record.message]
    assert 0 < len(struck) <= PATIENCE_REST / 0.05
    assert f"{100 - len(struck)} regular expressions were not asked" in caplog.text
