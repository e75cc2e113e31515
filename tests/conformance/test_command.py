"""`python -m conformance`: what it prints, what it leaves, and how it takes trouble."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from conformance.requirements import CATALOGUE
from harness.results.run import ConformRun
from harness.results.store import load_run
from harness.target import Target, dump_target

ROOT = Path(__file__).parents[2]


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


async def command(*arguments: str | Path) -> Ended:
    """Runs Python with these arguments to its end, without the pytest plugins that happen to be installed here."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *map(str, arguments),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    return Ended(child.returncode or 0, out.decode(), err.decode())


async def suite(*arguments: str | Path) -> Ended:
    """Runs the suite. Whatever happens, nobody is shown a traceback."""
    ended = await command("-m", "conformance", *arguments)
    assert "Traceback" not in ended.out + ended.err
    return ended


def target_file(folder: Path, url: str) -> Path:
    """A target file for a server at this address."""
    file = folder / "target.toml"
    file.write_text(dump_target(Target(name="t", api_url=f"{url}/api", supabase_url=url, anon_key="k")))
    return file


async def _html(_request: web.Request) -> web.Response:
    return web.Response(text="<html>It works!</html>", content_type="text/html")


async def _socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for _message in socket:
        pass
    return socket


async def _nobody(_request: web.Request) -> web.Response:
    return web.json_response({"error": "Unauthorized"}, status=401)


async def _closed(_request: web.Request) -> web.Response:
    return web.json_response({"code": 422, "error_code": "signup_disabled", "msg": "Signups not allowed"}, status=422)


async def _no_rows(_request: web.Request) -> web.Response:
    return web.json_response([])


@pytest.fixture
async def html_server() -> AsyncIterator[str]:
    """A web server that is no target: it answers everything with a page."""
    async for url in _serve([web.route("*", "/{path:.*}", _html)]):
        yield url


@pytest.fixture
async def closed_server() -> AsyncIterator[str]:
    """A target that looks well and lets nobody sign up."""
    routes = [
        web.get("/rest/v1/chat_sessions", _no_rows), web.post("/api/matching/join", _nobody),
        web.get("/realtime/v1/websocket", _socket), web.post("/auth/v1/signup", _closed),
    ]  # fmt: skip
    async for url in _serve(routes):
        yield url


async def _serve(routes: list[web.RouteDef]) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "no/such/target.toml"], "there is no target file"),
        (["--target", "pyproject.toml"], "unknown section"),
    ],
)
async def test_a_bad_target_file_is_one_line(arguments: list[str], says: str) -> None:
    """What is wrong and what to do, on standard error, with status 3."""
    ended = await suite(*arguments)
    assert ended.status == 3 and ended.out == ""
    assert ended.err.startswith("error: ") and says in ended.err and ended.err.count("\n") == 1


async def test_a_target_out_of_reach_is_one_line(tmp_path: Path) -> None:
    """Nobody listens there: not one requirement is called broken, and the results say so."""
    ended = await suite("--target", target_file(tmp_path, "http://127.0.0.1:9"), "--results", tmp_path / "r.json")
    assert ended.status == 3 and ended.out == ""
    assert "cannot be reached" in ended.err and ended.err.count("\n") == 1
    run = load_run(tmp_path / "r.json")
    assert isinstance(run, ConformRun) and run.verdict == "unknown"
    assert {result.status for result in run.requirements} == {"error"}


async def test_a_page_instead_of_a_target_is_one_line(tmp_path: Path, html_server: str) -> None:
    """A proxy's page, or a wrong port."""
    ended = await suite("--target", target_file(tmp_path, html_server))
    assert ended.status == 3 and ended.err.startswith("error: ") and ended.err.count("\n") == 1


async def test_no_matching_requirement_is_one_line(tmp_path: Path, html_server: str) -> None:
    """-k that chooses nothing is a typing error, not a pass."""
    ended = await suite("--target", target_file(tmp_path, html_server), "-k", "MM-X9")
    assert ended.status == 3 and "no requirement matches -k 'MM-X9'" in ended.err


async def test_a_target_that_lets_nobody_in_is_unknown(tmp_path: Path, closed_server: str) -> None:
    """Every requirement has its line with one reason, and none is red."""
    ended = await suite("--target", target_file(tmp_path, closed_server), "--results", tmp_path / "r.json")
    assert ended.status in {2, 3} and ended.err == ""
    lines = ended.out.splitlines()
    assert lines[-1] == "t: unknown"
    assert {line.split()[0] for line in lines[:-1]} == set(CATALOGUE)
    assert {line.split()[1] for line in lines[:-1]} <= {"unknown", "error"}
    assert all("Signups not allowed" in line for line in lines[:-1])


async def test_results_that_cannot_be_written_are_trouble(tmp_path: Path, closed_server: str) -> None:
    """The run is lost, and that is said."""
    (tmp_path / "file").write_text("")
    ended = await suite("--target", target_file(tmp_path, closed_server), "--results", tmp_path / "file" / "r.json")
    assert ended.status == 3 and "cannot be made" in ended.err


async def test_plain_pytest_finds_one_test_for_each_requirement(tmp_path: Path) -> None:
    """The suite is a pytest package: anybody's pytest can collect it."""
    plain = ("-m", "pytest", "-q", "-p", "conformance.plugin", "-p", "no:cacheprovider", "--rootdir", tmp_path)
    ended = await command(*plain, "--pyargs", "conformance", "--collect-only")
    names = [line.rpartition("::")[2] for line in ended.out.splitlines() if "::" in line]
    assert ended.status == 0
    assert sorted(_named(name) for name in names) == sorted(CATALOGUE)


def _named(test: str) -> str:
    """The requirement that a test is named after: test_sec_jwt_01_no_algorithm is of SEC-JWT-01."""
    return next((id_ for id_ in CATALOGUE if test.upper().startswith(f"TEST_{id_.replace('-', '_')}_")), test)


async def test_plain_pytest_needs_a_target() -> None:
    """Without --target it says what to give, instead of failing all tests."""
    ended = await command(
        "-m", "pytest", "-p", "conformance.plugin", "-p", "no:cacheprovider", "--pyargs", "conformance"
    )
    assert ended.status == 4 and "--target FILE" in ended.err + ended.out
