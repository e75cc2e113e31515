"""What a machine lacks for the kernel network is said in a clause, and entering one there is trouble in one line."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.network.netns.lab import KernelLab
from harness.network.netns.need import missing


async def test_this_machine(why_not: str) -> None:
    """Where something is missing, entering the lab says the same; the tests that need it are then not verified."""
    if not why_not:
        async with KernelLab() as lab:
            assert lab.name == "netns"
        return
    warnings.warn(f"the kernel network is not verified on this machine: {why_not}", stacklevel=1)
    with pytest.raises(Trouble) as caught:
        async with KernelLab():
            pass
    assert why_not in str(caught.value)


async def test_a_machine_without_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first program that is not installed is named, with its package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing() == "the program unshare is not installed (Debian: util-linux)"
    with pytest.raises(Trouble, match=r"cannot have the kernel network: the program unshare .* use the network vnet"):
        async with KernelLab():
            pass


def test_a_machine_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `unshare` says is passed on, as in a container without CAP_SYS_ADMIN."""
    for program in ("ip", "nft", "turnserver"):
        (tmp_path / program).symlink_to("/bin/true")
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert missing() == "it allows no network namespaces (unshare: unshare failed: Operation not permitted)"


def test_another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Linux has network namespaces."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert missing() == "network namespaces are Linux's"
