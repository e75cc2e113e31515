"""Metrics of several workers on one port: each keeps its own in a file of one folder, and a scrape adds them up."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import multiprocess, values

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "gurukul-metrics-"


def shared_folder() -> Path | None:
    """The folder that this process shares with its siblings; None where it is alone."""
    folder = os.environ.get(_VARIABLE)
    return Path(folder) if folder else None


@contextmanager
def sharing() -> Iterator[Callable[[int], None]]:
    """Lets the processes that are forked in the block share their metrics; to be used by their parent.

    Yields a function that is to be called with the id of each that has ended: what it counted stays, its gauges go.
    """
    _sweep()
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
    before = values.ValueClass
    os.environ[_VARIABLE] = folder
    # The library looks at the environment when it is imported; we know only now that there will be several of us.
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
    try:
        yield lambda pid: _forget(pid, folder)
    finally:
        values.ValueClass = before
        del os.environ[_VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)


def _forget(pid: int, folder: str) -> None:
    multiprocess.mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def living(folder: Path) -> list[int]:
    """The ids of the processes that share the folder and have not ended."""
    return sorted(int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_livesum_*.db"))


def _sweep() -> None:
    """Removes the folders of parents that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)
