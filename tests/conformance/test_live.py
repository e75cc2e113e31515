"""The suite on the two engines: what the document describes fails as it is known to, what mends it does not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness.checkers.judge import judge_groups
from harness.errors import Trouble
from harness.history.journal import read_history
from harness.lab.deployment import Deployment, deployment
from harness.lab.postgres import Cluster
from harness.results.finding import Verdict
from harness.results.run import ConformRun
from harness.results.store import load_run
from harness.target import dump_target

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def running(engine: str, postgres_url: str, folder: Path) -> AsyncIterator[tuple[Deployment, Path]]:
    """A deployment in scaled time, and its target file."""
    async with deployment(engine, Cluster(postgres_url, embedded=False), folder / "log", time="scaled") as there:
        file = folder / "target.toml"
        file.write_text(dump_target(there.target))
        yield there, file


async def start(*arguments: str | Path) -> asyncio.subprocess.Process:
    """Starts the suite, which Ctrl-C interrupts also where these tests run in the background and it is ignored."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "conformance", *map(str, arguments),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def statuses(path: Path) -> dict[str, str]:
    """The status of each requirement in stored results."""
    run = load_run(path)
    assert isinstance(run, ConformRun)
    return {result.id: result.status for result in run.requirements if result.status != "not-verified"}


async def test_the_hardened_engine_passes(postgres_url: str, tmp_path: Path) -> None:
    """Races and bystanders: nothing is found, and the histories judge the same offline."""
    async with running("hardened", postgres_url, tmp_path) as (there, file):
        chosen = ("-k", "MM-S1 or MM-L2 or MM-L3 or MM-S4")
        child = await start("--target", file, "--results", tmp_path / "r.json", "--history", tmp_path / "h", *chosen)
        out, err = await child.communicate()
        assert (child.returncode, err) == (0, b""), out.decode()
        assert out.decode().splitlines()[-1] == "hardened: partial"
        assert set(statuses(tmp_path / "r.json").values()) == {"pass"}
        judged = judge_groups(read_history(tmp_path / "h" / "MM-S1.ndjson"), there.target.budgets)
        assert judged["hardened"].verdict is Verdict.VALID


async def test_the_documented_engine_fails_as_it_is_known_to(postgres_url: str, tmp_path: Path) -> None:
    """The strict list holds: what is on it fails, what is not passes, and each failure has a sentence and a witness."""
    async with running("documented", postgres_url, tmp_path) as (_, file):
        chosen = ("-k", "MM-S1 or MM-L2 or MM-L3 or MM-S3 or MM-S6", "--expected", "documented")
        child = await start("--target", file, "--results", tmp_path / "r.json", "--junit", tmp_path / "j.xml", *chosen)
        out, err = await child.communicate()
        assert (child.returncode, err) == (0, b""), out.decode()
    found = statuses(tmp_path / "r.json")
    assert found == {"MM-S1": "fail", "MM-L2": "fail", "MM-L3": "fail", "MM-S3": "pass", "MM-S6": "fail"}
    run = load_run(tmp_path / "r.json")
    assert isinstance(run, ConformRun) and run.verdict == "not-conformant"
    failed = [result for result in run.requirements if result.status == "fail"]
    assert all(result.finding is not None and 2 <= len(result.finding.witness) <= 6 for result in failed)
    assert 'failures="4"' in (tmp_path / "j.xml").read_text()


async def said(child: asyncio.subprocess.Process, words: bytes) -> None:
    """Reads lines until one begins with these words."""
    assert child.stdout is not None
    async for line in child.stdout:
        if line.startswith(words):
            return
    raise AssertionError(f"the command never said {words!r}")


async def test_a_target_that_dies_is_never_red(postgres_url: str, tmp_path: Path) -> None:
    """The server is killed in the middle of the races: no requirement is called broken, and nobody sees a traceback."""
    with pytest.raises(Trouble, match="ended by itself"):
        async with running("hardened", postgres_url, tmp_path) as (there, file):
            child = await start("--target", file, "--results", tmp_path / "r.json", "-k", "MM-S3 or MM-L2 or MM-L3")
            await said(child, b"MM-S3 pass")
            os.kill(there.server.pid, signal.SIGKILL)
            out, err = await child.communicate()
    assert child.returncode in {2, 3}
    assert "Traceback" not in (out + err).decode()
    found = statuses(tmp_path / "r.json")
    assert {found["MM-L2"], found["MM-L3"]} <= {"unknown", "error"}


async def test_an_interrupted_run_is_unknown(postgres_url: str, tmp_path: Path) -> None:
    """Ctrl-C: what is known is kept, the rest is unknown, and so is the whole; DISC-6 takes far longer."""
    async with running("hardened", postgres_url, tmp_path) as (_, file):
        child = await start("--target", file, "--results", tmp_path / "r.json", "-k", "MM-S3 or DISC-6")
        await said(child, b"MM-S3 pass")
        child.send_signal(signal.SIGINT)
        out, err = await child.communicate()
    assert child.returncode == 2
    assert "Traceback" not in (out + err).decode()
    assert statuses(tmp_path / "r.json") == {"MM-S3": "pass", "DISC-6": "unknown"}
    run = load_run(tmp_path / "r.json")
    assert isinstance(run, ConformRun) and run.interrupted and run.verdict == "unknown"
