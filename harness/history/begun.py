"""Calls that have begun, kept where they outlive the process: in a mapped file beside the journal."""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path

from harness.errors import Trouble

SIZE = 1 << 18
"""Bytes of the file: those of the calls that begin between two flushes of a journal, and many more."""
REMEDY = "check that the folder exists, may be written and has room"
"""What to do where a history, or this file beside it, cannot be written."""
_SUFFIX = ".begun"
_END = b"\0"


class BegunCalls:
    """Lines in memory that belongs to a file: what was put there is there, however the process ends.

    It costs no call into the kernel, which is what a write to the journal for each call of a load would cost. The file
    has a fixed size, of which the lines fill the beginning, and is removed by `close`.

    Args:
        journal: the file beside which it lies.

    Raises:
        Trouble: it cannot be made.
    """

    def __init__(self, journal: Path) -> None:
        self._path = _beside(journal)
        self._used = 0
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                os.posix_fallocate(file, 0, SIZE)  # a disk without room says so now, and not by a signal at a write
                self._memory = mmap.mmap(file, SIZE)
            finally:
                os.close(file)
        except OSError as error:
            raise Trouble(f"{self._path} cannot be written ({error.strerror})", REMEDY) from None

    def put(self, line: bytes) -> bool:
        """Keeps a line; False where there is no room for it."""
        end = self._used + len(line)
        if end >= SIZE:
            return False
        self._memory[self._used : end] = line
        self._used = end
        return True

    def clear(self) -> None:
        """Forgets all lines: they stand elsewhere."""
        self._memory[: self._used] = bytes(self._used)
        self._used = 0

    def close(self) -> None:
        """Removes the file."""
        self._memory.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def begun_beside(journal: Path) -> bytes:
    """What a killed process left of calls that its journal does not hold: lines, of which the last may be torn.

    Raises OSError where it cannot be read.
    """
    try:
        return _beside(journal).read_bytes().partition(_END)[0]
    except FileNotFoundError:
        return b""


def forget_begun(journal: Path) -> None:
    """Removes what a killed process left: it stands in the journal now."""
    _beside(journal).unlink(missing_ok=True)


def _beside(journal: Path) -> Path:
    return journal.with_name(journal.name + _SUFFIX)
