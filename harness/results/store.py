"""The store: one folder per run below results/, written atomically and read back with care."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.errors import Trouble
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
            raise _unwritable(folder.path, error) from None
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
    """Writes a file in one step (temporary name, then rename). Raises Trouble when it cannot be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> Trouble:
    return Trouble(
        f"the results cannot be written to {path} ({error.strerror})",
        "choose another folder, or allow writing and make room",
    )
