"""Throw-away folders: each is locked by its owner, and one whose owner is gone is removed by the next run."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

from harness.errors import Trouble, no_room

PREFIX = "gurukul-lab-"
_LOCK = "owner.lock"
_LONGEST_SOCKET_PATH = 107  # sockaddr_un, unix(7)
_SOCKET_NAME = "/socket/.s.PGSQL.5432"


def make_folder(root: Path | None = None) -> tuple[Path, int]:
    """Makes a folder for one owner; returns it and the file descriptor whose lock says that the owner lives.

    The folder appears under its final name only when the lock is held, so that nobody takes it for a stale one.

    Raises:
        Trouble: the folder for temporary files cannot be written, or its path is too long for a socket.
    """
    root = root or Path(tempfile.gettempdir())
    try:
        made = Path(tempfile.mkdtemp(prefix="gurukul-new-", dir=root))
        lock = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = made.rename(root / (PREFIX + made.name.removeprefix("gurukul-new-")))
    except OSError as error:
        raise Trouble(
            f"no throw-away folder can be made in {root} ({error.strerror})",
            "set TMPDIR to one that has room" if no_room(error) else "set TMPDIR to one that you may write",
        ) from None
    if len(str(folder) + _SOCKET_NAME) > _LONGEST_SOCKET_PATH:
        shutil.rmtree(folder)
        os.close(lock)
        raise Trouble(f"the path {folder} is too long for a socket in it", "set TMPDIR to a shorter path")
    return folder, lock


def sweep_folders(root: Path | None = None) -> list[Path]:
    """Removes the folders that lost their owner, and stops a PostgreSQL that still runs in one. Returns them."""
    root = root or Path(tempfile.gettempdir())
    return [folder for folder in sorted(root.glob(PREFIX + "*")) if _sweep(folder)]


def _sweep(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # somebody else's, or just being removed
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        _stop_postmaster(folder / "data")
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(lock)


def _stop_postmaster(data: Path) -> None:
    """Ends a postmaster of this data folder at once; its processes notice and end too."""
    with suppress(OSError, ValueError, IndexError):
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        if os.fsencode(str(data)) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            os.kill(pid, signal.SIGKILL)
