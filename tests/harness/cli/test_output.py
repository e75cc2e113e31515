"""Where a verb writes what it leaves: each option that names a file takes any place, and is looked at beforehand."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.main import main

ROOT = Path(__file__).parents[3]
BENCH = ROOT / "results" / "baselines" / "bench-quick.json"
INTO_A_FILE = [
    ("report", str(BENCH), "--html"),
    ("compare", str(BENCH), str(BENCH), "--markdown"),
    ("claims", "--markdown"),
    ("conform", "hardened", "--junit"),
    ("serve", "--write-target"),
]


def bash(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a line with `gurukul` in it as a user of bash does; the status is the command's own."""
    gurukul = f"{sys.executable} -m harness.cli"
    return subprocess.run(
        ["bash", "-c", line.replace("gurukul", gurukul)], cwd=ROOT, env={**os.environ, **environment},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("command", INTO_A_FILE, ids=" ".join)
def test_a_dash_is_no_file(command: tuple[str, ...], tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes into a file alone says so, where `-` would have made a file of that name."""
    monkeypatch.chdir(tmp_path)
    assert main([*command, "-"]) == 3
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: {command[-1]} -: it goes into a file, not to standard output: name a file\n")
    assert list(tmp_path.iterdir()) == []


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """For the JSON, and for what is exported."""
    assert main(["export", str(BENCH), "--to", "markdown", "-o", "-"]) == 0
    assert "### gurukul bench" in capsys.readouterr().out
    main(["compare", str(BENCH), str(BENCH), "--json", "-"])
    assert capsys.readouterr().out.startswith("{")


def test_a_pipe_and_a_link(tmp_path: Path) -> None:
    """A page goes through a pipe that stays one; the JSON goes to another program; a link leads to the file."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("file")
    ended = bash(f"cat {pipe} > {tmp_path}/page & gurukul report {BENCH} --html {pipe} && wait")
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (0, f"page: {pipe}")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert (tmp_path / "page").read_text().startswith("<!")
    ended = bash(f"gurukul compare {BENCH} {BENCH} --json >(cat > {tmp_path}/json); s=$?; wait $!; exit $s")
    assert ended.returncode in {0, 2}, ended.stderr
    assert (tmp_path / "json").read_text().startswith("{")
    bash(f"gurukul compare {BENCH} {BENCH} --json {link}")
    assert link.is_symlink()
    assert (tmp_path / "file").read_text().startswith("{")


@pytest.mark.parametrize(
    "command",
    [
        *INTO_A_FILE,
        ("conform", "hardened", "--html"),
        ("peers", "hardened", "--json"),
        ("swarm", "burst", "hardened", "--json"),
        ("bench", "--html"),
        ("mutants", "--json"),
        ("judge", str(BENCH), "--json"),
        ("export", str(BENCH), "--to", "markdown", "-o"),
    ],
    ids=" ".join,
)
def test_a_place_that_cannot_be_written_is_told_beforehand(
    command: tuple[str, ...], tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, before anything is started: no folder of a run is made."""
    monkeypatch.chdir(tmp_path)
    assert main([*command, "nowhere/x"]) == 3
    out, err = capsys.readouterr()
    where = f"nowhere/x cannot be written (there is no folder {tmp_path / 'nowhere'})"
    assert (out, err) == ("", f"error: {where}: choose another place, or allow writing and make room\n")
    assert list(tmp_path.iterdir()) == []
