"""A reference server for the swarms, as a target; users are fresh, so that the tests of a module can share it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from harness.lab.database import throwaway_database
from harness.lab.server import running_server
from harness.target import Budgets, Target


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hardened(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    """The hardened engine on a fresh database, polled often."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    async with (
        throwaway_database(postgres_url) as database_url,
        running_server("hardened", database_url, log) as server,
    ):
        yield Target(
            name="hardened", api_url=server.api_url, supabase_url=server.supabase_url, anon_key=server.anon_key,
            budgets=Budgets(poll_interval=0.5, match=0.5, tolerance=0.25),
        )  # fmt: skip
