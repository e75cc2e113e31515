"""What is said of a place that cannot be written."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from harness.errors import no_room, remedy

FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, FULL), True),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), True),
        (shutil.Error([("from", "to", f"[Errno 28] {FULL}: 'from' -> 'to'")]), True),
        (OSError(errno.EACCES, os.strerror(errno.EACCES)), False),
        (shutil.Error([("from", "to", "[Errno 13] Permission denied: 'to'")]), False),
    ],
    ids=["disk", "quota", "tree", "permission", "tree's permission"],
)
def test_a_full_disk_is_told_from_a_forbidden_one(error: OSError, full: bool) -> None:
    """Each has its own remedy."""
    assert no_room(error) is full
    assert remedy(error, "allow it") == ("make room there, or choose another folder" if full else "allow it")
