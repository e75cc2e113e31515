"""The folder of a run as a verb uses it: made at the start, removed again when nothing came of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.cli.running import say
from harness.errors import Trouble
from harness.results.redaction import redact_folder
from harness.results.store import RunFolder, RunStore


@contextmanager
def run_folder(results: Path, kind: str) -> Iterator[RunFolder]:
    """Makes the folder of a run; one in which trouble left nothing but target files and empty logs is removed.

    However the run ends, what stays holds no secret.
    """
    folder = RunStore(results).create(kind)
    try:
        with _redacted(folder):
            yield folder
    except Trouble:
        if not any(_tells(path) for path in folder.path.rglob("*")):
            shutil.rmtree(folder.path, ignore_errors=True)
        raise


@contextmanager
def _redacted(folder: RunFolder) -> Iterator[None]:
    try:
        yield
    except BaseException:
        try:
            redact_folder(folder.path)
        except Trouble as trouble:  # why the run ended matters more
            say(f"error: {trouble}")
        raise
    redact_folder(folder.path)


def _tells(path: Path) -> bool:
    return path.is_file() and path.suffix != ".toml" and path.stat().st_size > 0
