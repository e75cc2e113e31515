"""The store: one folder per run below results/, written atomically and read back with care."""

from __future__ import annotations

import datetime as dt
import errno
import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from harness.errors import Trouble, remedy
from harness.results.run import (
    RUN,
    BenchRun,
    ClaimsRun,
    ConformRun,
    ConformSetRun,
    JudgeRun,
    PeersRun,
    SwarmRun,
    dump_run,
)
from harness.results.versions import upgraded

StoredRun = BenchRun | ConformRun | ConformSetRun | SwarmRun | PeersRun | JudgeRun | ClaimsRun

_MOST_LINKS = 40
"""So many links are followed, as the kernel does (path_resolution(7))."""


class RunFolder:
    """The folder of one run: `run.json`, `history.ndjson`, and whatever else it leaves (logs, target files, HTML)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_file = path / "run.json"
        self.history_file = path / "history.ndjson"
        self.logs = path / "logs"

    def save(self, run: StoredRun) -> Path:
        """Writes run.json in one step: a reader sees the old file or the new one, never a part."""
        write_text(self.run_file, dump_run(run))
        return self.run_file

    def load(self) -> StoredRun:
        """Reads run.json. Raises Trouble as `load_run` does."""
        return load_run(self.run_file)


class RunStore:
    """All runs below one folder.

    Args:
        root: the folder, usually `results/`; it is made when the first run is created.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self, kind: str) -> RunFolder:
        """Makes the folder of a new run, `<utc time>-<kind>-<short id>`.

        Raises:
            Trouble: the folder cannot be made or written.
        """
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = RunFolder(self.root / f"{stamp}-{kind}-{secrets.token_hex(3)}")
        try:
            folder.logs.mkdir(parents=True)
        except OSError as error:
            raise Trouble(
                f"the results cannot be written to {folder.path} ({error.strerror})",
                remedy(error, "choose another folder, or allow writing"),
            ) from None
        return folder

    def runs(self) -> list[Path]:
        """The folders that hold a run.json, oldest first."""
        return sorted(path.parent for path in self.root.glob("*/run.json"))


def load_run(path: Path) -> StoredRun:
    """Reads a stored run from its folder or from its run.json.

    Raises:
        Trouble: nothing there, not JSON (cut short, say), not a run, or a run of a newer version.
    """
    file = path / "run.json" if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Trouble(f"there is no run in {path}", "name a folder below results/ or its run.json") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"the run {file} cannot be read ({error})", "check the path and its permissions") from None
    except ValueError as error:
        raise Trouble(f"the run {file} is not JSON ({error})", "it was cut short or is no run: measure again") from None
    return parse_run(data, str(file))


def parse_run(data: Any, origin: str) -> StoredRun:
    """A run from its JSON value; `origin` names it in errors. Raises Trouble as `load_run` does."""
    current = upgraded(data, origin)
    try:
        run: StoredRun = RUN.validate_python(current, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Trouble(f"{origin}: {where}: {first['msg']}", "it is damaged: measure again") from None
    return run


def write_text(path: Path, text: str) -> None:
    """Writes a file in one step (temporary name, then rename); what is no regular file is written to as it is.

    Links are followed: what they lead to is written, and they stay. Raises Trouble when it cannot be written.
    """
    try:
        place = _place(path)
        if isinstance(place, Path):
            _replace(place, text)
        else:
            with place as file:
                file.write(text)
    except OSError as error:
        raise _unwritable(path, error) from None


def check_writable(path: Path) -> None:
    """Finds out whether `write_text` can write there, and leaves everything as it is. Raises Trouble when it cannot."""
    try:
        if (held := _descriptor(path)) is not None:
            os.fstat(held)
        elif path.is_dir():
            raise _os_error(errno.EISDIR)
        elif not _is_replaced(path):
            if not os.access(path, os.W_OK):
                raise _os_error(errno.EACCES)
        else:
            part = _part(Path(os.path.realpath(path)))
            part.touch()
            part.unlink()
    except OSError as error:
        raise _unwritable(path, error) from None


def _place(path: Path) -> Path | TextIO:
    """What is replaced: a regular file, or one to be made. What is written to as it is: a device, a pipe, our output.

    `/dev/stdout` may lead to a regular file: replaced, it would lose what the shell lets us write to it besides.
    """
    if (held := _descriptor(path)) is not None:
        return os.fdopen(os.dup(held), "w", encoding="utf-8")
    return Path(os.path.realpath(path)) if _is_replaced(path) else path.open("w", encoding="utf-8")


def _is_replaced(path: Path) -> bool:
    """Whether a path leads to a regular file, or to nothing yet. Raises OSError where nobody can follow it."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _descriptor(path: Path) -> int | None:
    """The file descriptor of ours that a path means: `/dev/stdout`, `/dev/fd/63`, a link to one; None for any other."""
    ours = Path(f"/proc/{os.getpid()}/fd")
    for _ in range(_MOST_LINKS):
        if path.parent.resolve() == ours and path.name.isdigit():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


def _replace(path: Path, text: str) -> None:
    part = _part(path)
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _part(path: Path) -> Path:
    """Where a file is written before it gets its name."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _unwritable(path: Path, error: OSError) -> Trouble:
    folder = Path(os.path.realpath(path)).parent
    why = error.strerror if folder.is_dir() else f"there is no folder {folder}"
    return Trouble(f"{path} cannot be written ({why})", remedy(error, "choose another place, or allow writing"))
