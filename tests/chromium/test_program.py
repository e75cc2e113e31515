"""A machine without Chromium says so."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.lab import chromium


def test_what_is_not_verified_is_said():
    """Without Chromium its calls are not verified, and the run says that and why."""
    if chromium.program() is None:
        said = "calls, pages and the web tab are not verified in Chromium: it is not installed (Debian: chromium)"
        warnings.warn(said, stacklevel=1)


async def test_a_machine_without_it_is_trouble_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """One line that names the package."""
    monkeypatch.setattr(chromium, "PROGRAMS", ("no-such-browser",))
    with pytest.raises(Trouble, match="Debian: chromium"):
        async with chromium.running_chromium(tmp_path / "log"):
            pass


async def test_one_that_does_not_start_is_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """What it last said stands in the line."""
    monkeypatch.setattr(chromium, "PROGRAMS", ("false",))
    with pytest.raises(Trouble, match="does not start"):
        async with chromium.running_chromium(tmp_path / "log"):
            pass
