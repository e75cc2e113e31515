"""The fingerprint says on what a run was made."""

from __future__ import annotations

import datetime as dt
import platform
import subprocess
from pathlib import Path

import pytest

from harness.results import fingerprint
from harness.results.fingerprint import take_fingerprint


def test_it_names_machine_versions_and_settings() -> None:
    """Time, versions, CPU, memory, kernel, seed and settings are there."""
    taken = take_fingerprint(seed=7, settings={"users": 320})
    assert dt.datetime.fromisoformat(taken.created).tzinfo is not None
    assert taken.versions["python"] == platform.python_version()
    assert "aiohttp" in taken.versions
    assert taken.cpu
    assert taken.cpus >= 1
    assert taken.memory_bytes > 2**20
    assert taken.kernel
    assert (taken.seed, taken.settings) == (7, {"users": 320})


def test_outside_a_clone_the_commit_is_empty(tmp_path: Path) -> None:
    """No clone, or no git at all, is no trouble."""
    assert fingerprint._commit(tmp_path) == ""


def test_without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without git makes a fingerprint without commit."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fingerprint._commit(tmp_path) == ""


def test_a_commit_with_changes_says_so(tmp_path: Path) -> None:
    """The commit is named by 12 digits, with `+` for a tree that was changed since."""

    def git(*words: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "first")
    clean = fingerprint._commit(tmp_path)
    (tmp_path / "a").write_text("2")
    assert len(clean) == 12
    assert fingerprint._commit(tmp_path) == clean + "+"


def test_a_machine_without_cpuinfo(tmp_path: Path) -> None:
    """Where the kernel does not name the CPU, the architecture stands in."""
    assert fingerprint._cpu(tmp_path / "none") == platform.machine()
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: A Fine CPU: fast\n")
    assert fingerprint._cpu(tmp_path / "cpuinfo") == "A Fine CPU: fast"
