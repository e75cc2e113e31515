"""Journals that workers on other machines send, kept where those of this machine lie."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from harness.errors import Trouble, remedy
from harness.history.clock import Clock
from harness.history.journal import restate


class Receipts:
    """Files with the lines that came, each under the name of the journal that they were read from.

    Args:
        folder: where they go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, BinaryIO] = {}

    def take(self, name: str, lines: bytes, clock: Clock | None) -> None:
        """Keeps further lines of a journal, and what is known of its clock by now.

        Raises:
            Trouble: a name with a folder in it, or a disk that refuses.
        """
        if Path(name).name != name or not name.endswith(".ndjson"):
            raise Trouble(f"“{name}” is no name of a journal", "use workers of the same version")
        path = self._folder / name
        try:
            file = self._files.get(name)
            if file is None:
                file = self._files[name] = path.open("ab")
            file.write(lines)
            file.flush()
        except OSError as error:
            raise Trouble(
                f"the history {path} cannot be written ({error.strerror})", remedy(error, "check the folder")
            ) from None
        if clock is not None:
            restate(path, clock)

    def close(self) -> None:
        """Closes the files. May be called twice."""
        files, self._files = self._files, {}
        for file in files.values():
            file.close()
