"""Lines that a journal has promised and not written yet, held in a mapped file where they outlive the process."""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from struct import Struct as Layout

from msgspec import Struct
from msgspec.json import Decoder

from harness.errors import Trouble

ROOM = 1 << 20
"""Bytes for lines: those between two writes of a journal, and many more."""
_SUFFIX = ".held"
_WORD = Layout("<Q")
_AT, _LENGTH, _LINES = 0, 8, 16
"""Where they stand: the size that the journal had when the lines began, how many bytes they are, and the lines."""


class Head(Struct, gc=False):
    """What one must know of a line to tell which op it is, and whether that has ended."""

    t0: float
    t1: float | None
    process: str
    n: int


heads = Decoder(Head)


class Held:
    """Memory that belongs to a file: what was added is there, however the process ends, until it is released.

    It costs no call into the kernel, which a write for each call of a load would. The lines follow those that the
    journal had at `size`, in the same order. `close` removes the file.

    Args:
        journal: the file beside which it lies.
        size: bytes of the journal by now.

    Raises:
        Trouble: it cannot be made.
    """

    def __init__(self, journal: Path, size: int) -> None:
        self._path = beside(journal)
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                os.posix_fallocate(file, 0, _LINES + ROOM)  # no room says so now, and not by a signal at some line
                self._memory = mmap.mmap(file, _LINES + ROOM)
            finally:
                os.close(file)
        except OSError as error:
            remedy = "check that the folder exists, may be written and has room"
            raise Trouble(f"{self._path} cannot be written ({error.strerror})", remedy) from None
        self._end = _LINES
        self.release(size)

    def add(self, lines: bytes) -> bool:
        """Holds whole lines; False, and nothing is held, where there is no room for them."""
        end = self._end + len(lines)
        if end > _LINES + ROOM:
            return False
        self._memory[self._end : end] = lines
        self._end = end
        _WORD.pack_into(self._memory, _LENGTH, end - _LINES)
        return True

    def release(self, size: int) -> None:
        """Forgets the lines: they stand in the journal, which has this size now."""
        _WORD.pack_into(self._memory, _LENGTH, 0)
        _WORD.pack_into(self._memory, _AT, size)
        self._end = _LINES

    def close(self) -> None:
        """Removes the file."""
        self._memory.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def beside(journal: Path) -> Path:
    """Where the lines of a journal are held."""
    return journal.with_name(journal.name + _SUFFIX)


def held_lines(journal: Path) -> tuple[int, bytes]:
    """The size of the journal when its held lines began, and these. Read them before the journal.

    A process that is alive may release them meanwhile; then they stand in the journal. Raises OSError.
    """
    try:
        file = os.open(beside(journal), os.O_RDONLY)
    except FileNotFoundError:
        return 0, b""
    try:
        while True:
            (size,), (length,) = (_WORD.unpack(os.pread(file, 8, at)) for at in (_AT, _LENGTH))
            lines = os.pread(file, length, _LINES)
            if os.pread(file, 8, _AT) == _WORD.pack(size):
                return size, lines
    finally:
        os.close(file)


def missing_lines(journal: Path, size: int, lines: bytes) -> bytes:
    """Those of the held lines that the journal lacks: all, unless the process ended while it wrote them.

    Raises OSError.
    """
    if not lines:
        return b""
    with journal.open("rb") as file:
        file.seek(size)
        written = {(head.process, head.n): head.t1 is not None for head in _heads_of(file.read())}
    held = lines.splitlines(keepends=True)
    if written:
        held = [line for line, head in zip(held, map(heads.decode, held), strict=True) if not _stands(head, written)]
    return b"".join(held)


def _heads_of(lines: bytes) -> list[Head]:
    found = []
    for line in lines.splitlines():
        with contextlib.suppress(ValueError):  # the last may be torn
            found.append(heads.decode(line))
    return found


def _stands(head: Head, written: dict[tuple[str, int], bool]) -> bool:
    ended = written.get((head.process, head.n))
    return ended is not None and (ended or head.t1 is None)


def settle(journal: Path) -> None:
    """Moves what a killed process left beside its journal into it, and drops a last line that is torn.

    Raises:
        Trouble: one of them cannot be read or written.
    """
    try:
        missing = missing_lines(journal, *held_lines(journal))
        with journal.open("r+b") as file:
            file.truncate(file.read().rfind(b"\n") + 1)
            file.seek(0, os.SEEK_END)
            file.write(missing)
        beside(journal).unlink(missing_ok=True)
    except OSError as error:
        raise Trouble(f"the history {journal} cannot be written ({error.strerror})", "check the folder") from None
