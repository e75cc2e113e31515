"""A reference server for the swarms, as a target; users are fresh, so that the tests of a module can share it."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import ModuleType

import pytest
import pytest_asyncio

from harness.lab.chromium import program
from harness.lab.database import throwaway_database
from harness.lab.server import running_server
from harness.target import Budgets, Target

SIMULATOR = Path(__file__).parents[1] / "checkers" / "simulator.py"
collect_ignore = [] if program() else ["test_web_tab.py"]  # tests/chromium says that it is not verified


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


@pytest.fixture
def until_lines() -> Callable[[Path, str, int], Awaitable[None]]:
    """Waits until the journals of a folder hold so many ops of a kind."""

    async def wait(folder: Path, kind: str, least: int) -> None:
        await asyncio.to_thread(_until, folder, f'"op":"{kind}"'.encode(), least)

    return wait


def _until(folder: Path, named: bytes, least: int) -> None:
    deadline = time.monotonic() + 250
    while sum(path.read_bytes().count(named) for path in folder.glob("history.*.ndjson")) < least:
        assert time.monotonic() < deadline, f"{folder} never held {least} of {named.decode()}"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def simulator() -> ModuleType:
    """The simulated matcher of the checkers' tests."""
    spec = importlib.util.spec_from_file_location("simulator", SIMULATOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulator"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
