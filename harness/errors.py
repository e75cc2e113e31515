"""The one exception for trouble of our own: what is wrong, and what to do about it."""

from __future__ import annotations

import errno
import os


class Trouble(Exception):
    """Something that keeps us from working: bad input, a target out of reach, a missing program.

    A command prints it as one line and exits with status 3. It never means that a target is wrong (that is a
    finding) nor that one call failed (that is an op's outcome).

    Args:
        what: what is wrong, in a few words, without a full stop.
        remedy: what the reader can do, in the imperative; empty when nothing can be said.
        excerpt: lines to show below, such as the text that was misread with a mark at the place.
    """

    def __init__(self, what: str, remedy: str = "", excerpt: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy
        self.excerpt = excerpt

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}" if self.remedy else self.what


def no_room(error: Exception) -> bool:
    """Whether a disk or a quota is full. PostgreSQL, and who copies a tree, have the reason in their words alone."""
    return getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or os.strerror(errno.ENOSPC) in str(error)


def remedy(error: OSError, otherwise: str) -> str:
    """What to do where something cannot be written."""
    return "make room there, or choose another folder" if no_room(error) else otherwise
