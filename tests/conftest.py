"""What tests share: a throw-away PostgreSQL with a fresh database for each, and packages of other registries."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import hypothesis
import pytest

from harness.lab.postgres import embedded_postgres

# How long an example takes is the machine's: nothing in tests/ is a matter of time.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

INSTALLED = Path(__file__).parents[1] / ".clients"
OLDEST_NODE = 20


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a throw-away PostgreSQL cluster (a Unix socket; superuser `postgres`, no password)."""
    with embedded_postgres() as cluster:
        yield cluster.url


@asynccontextmanager
async def fresh_database(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a new, empty database, dropped in the end (connections to it are cut)."""
    name = f"test_{uuid4().hex}"
    owner = await asyncpg.connect(postgres_url)
    try:
        await owner.execute(f"create database {name}")
        yield postgres_url.replace("/postgres?", f"/{name}?")
        await owner.execute(_END_READERS, name)
        await owner.execute(f"drop database {name} with (force)")
    finally:
        await owner.close()


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a database of the test's own."""
    async with fresh_database(postgres_url) as url:
        yield url


# A database whose log somebody still reads cannot be dropped, not even with force: wait until the reader is gone.
_END_READERS = """
select pg_terminate_backend(active_pid, 10000) from pg_replication_slots where database = $1 and active
"""


@pytest.fixture(scope="session")
def npm_installed() -> Callable[[Path], Path]:
    """Installs what a folder's package-lock.json holds, once; gives the folder with the node_modules."""

    def install(source: Path) -> Path:
        _require_node()
        parts = [source / "package.json", source / "package-lock.json"]
        return install_once(f"js-{source.name}", parts, [["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]])

    return install


@pytest.fixture(scope="session")
def installed() -> Callable[[str, list[Path], list[list[str]]], Path]:
    """Runs commands in a new folder that holds these files, once; gives the folder."""
    return install_once


def install_once(name: str, keyed_by: list[Path], commands: list[list[str]]) -> Path:
    """The folder of what these files lock, made by one process at a time; made anew where it was not finished."""
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in keyed_by)).hexdigest()[:12]
    folder = INSTALLED / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    (INSTALLED / ".gitignore").write_text("*\n")
    mark = folder / ".ready"
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists():
            for command in commands:
                for file in keyed_by:
                    shutil.copy(file, folder)
                _run(command, folder)
            mark.touch()
    return folder


def _require_node() -> None:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.fail(
                f"{program} is not installed: Node.js {OLDEST_NODE} or newer must be on the path", pytrace=False
            )
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        pytest.fail(f"node is {version}: {OLDEST_NODE} or newer is needed", pytrace=False)


def _run(command: list[str], folder: Path) -> None:
    # What pip and npm are told by the environment holds (indexes, proxies, certificates); our own paths do not.
    env = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}", pytrace=False)
