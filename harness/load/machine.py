"""Whose monotonic seconds a process counts: the name of the clock that all processes of this machine share."""

from __future__ import annotations

import re
import socket
import uuid
from functools import cache
from hashlib import sha256
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/time")


@cache
def clock_name() -> str:
    """The host's name, and a digest of what tells its clock from others: the boot, and the time namespace (Linux)."""
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        boot = str(uuid.getnode())
    try:
        namespace = str(_NAMESPACE.readlink())
    except OSError:
        namespace = ""
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname())[:40] or "host"
    return f"{host}-{sha256(f'{boot} {namespace}'.encode()).hexdigest()[:8]}"
