"""The server under requests that nobody would think of: schemathesis, against the description that the server gives."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from harness.lab.server import Server, running_server

DEADLINE = 300
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "missing_required_header",
]
"""Whatever is sent: no 5xx, and nothing that contradicts the description."""
BOUNDS = ["--max-examples=6", "--seed=20250717", "--no-shrink", "--generation-database=none"]
RUNS = [
    ("hardened", "user", "coverage,fuzzing"),
    ("hardened", "anonymous", "fuzzing"),
    ("documented", "user", "fuzzing"),
    ("documented", "anonymous", "fuzzing"),
]
"""Engine, caller, and what is sent: `coverage` is every border of the description, `fuzzing` what chance finds."""


async def signed_up(server: Server) -> str:
    """The access token of a new user."""
    headers = {"apikey": server.anon_key}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/auth/v1/signup", json={}, headers=headers) as answer,
    ):
        return str((await answer.json())["access_token"])


async def fuzzed(server: Server, report: Path, *arguments: str) -> tuple[int, str]:
    """Runs schemathesis, which writes its report: its exit status, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--no-color", "run", f"{server.url}/openapi.json"),
        *(f"--checks={','.join(CHECKS)}", *BOUNDS, f"--report-json-path={report}", *arguments),
        stdout=PIPE,
        stderr=STDOUT,
        cwd=report.parent,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), DEADLINE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode()


def read(file: Path) -> str:
    return file.read_text()


def read_report(file: Path) -> dict[str, Any]:
    return dict(orjson.loads(read(file)))


@pytest.mark.deep
@pytest.mark.parametrize(("engine", "caller", "phases"), RUNS)
async def test_nothing_that_is_sent_is_a_server_error(
    engine: str, caller: str, phases: str, database_url: str, tmp_path: Path
) -> None:
    """Every operation answers as the description says, whoever calls, and nothing is logged as an error.

    The documented join alone is left out: its own late `find_match` may put the user's row back between its DELETE and
    its INSERT, and then the document's answer is 500 (PROTOCOL 4).
    """
    log = tmp_path / "server.log"
    async with running_server(engine, database_url, log, {"join_rate_limit": 0}) as server:
        arguments = [f"--header=apikey: {server.anon_key}", f"--phases={phases}"]
        if engine == "documented":
            arguments.append("--exclude-path=/api/matching/join")
        if caller == "user":
            # To end the session would leave the rest of the run without one.
            token = await signed_up(server)
            arguments += [f"--header=Authorization: Bearer {token}", "--exclude-operation-id=logOut"]
        status, said = await fuzzed(server, tmp_path / "report.json", *arguments)
    assert status == 0, said
    report = read_report(tmp_path / "report.json")
    assert report["operations"]["tested"] == report["operations"]["selected"] > 30
    assert report["errors"] == []
    assert "ERROR" not in read(log)
