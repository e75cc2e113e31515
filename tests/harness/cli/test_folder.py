"""The folder of a run: what stays of one that ends badly, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.folder import run_folder
from harness.errors import Trouble

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


def test_why_a_run_ended_is_not_hidden_by_what_came_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets that could not be taken out are told before it; alone, they are the trouble."""

    def leave(path: Path) -> None:
        (path / "x.log").write_text(TOKEN)
        (path / ".x.log.redacted").mkdir()

    with pytest.raises(Trouble, match="the disk is full"), run_folder(tmp_path, "swarm") as folder:
        leave(folder.path)
        raise Trouble("the disk is full")
    said = capsys.readouterr().err
    assert said.startswith(f"error: {folder.path}/x.log could not be redacted (")
    with pytest.raises(Trouble, match="could not be redacted"), run_folder(tmp_path, "swarm") as folder:
        leave(folder.path)
    assert capsys.readouterr().err == ""
