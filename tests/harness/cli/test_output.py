"""Where a verb writes what it leaves: each option that names a file takes any place, and is looked at beforehand."""

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.cli.output import each, publish
from harness.errors import Trouble
from harness.results.store import RunStore, load_run

ROOT = Path(__file__).parents[3]
BENCH = ROOT / "results" / "baselines" / "bench-quick.json"
INTO_A_FILE = [
    ("report", str(BENCH), "--html"),
    ("compare", str(BENCH), str(BENCH), "--markdown"),
    ("claims", "--markdown"),
    ("conform", "hardened", "--junit"),
    ("serve", "--write-target"),
]


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


def test_a_pipe_and_a_link(tmp_path: Path, bash) -> None:
    """A page goes through a pipe that stays one; the JSON goes to another program; a link leads to the file."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("file")
    ended = bash(f"cat {pipe} > {tmp_path}/page & gurukul report {BENCH} --html {pipe} && wait")
    assert (ended.status, ended.err.splitlines()[-1]) == (0, f"page: {pipe}")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert (tmp_path / "page").read_text().startswith("<!")
    ended = bash(f"gurukul compare {BENCH} {BENCH} --json >(cat > {tmp_path}/json); s=$?; wait $!; exit $s")
    assert ended.status in {0, 2}, ended.err
    assert (tmp_path / "json").read_text().startswith("{")
    bash(f"gurukul compare {BENCH} {BENCH} --json {link}")
    assert link.is_symlink()
    assert (tmp_path / "file").read_text().startswith("{")


def test_what_cannot_be_written_at_the_end_costs_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The folder of the page went during the run: verdict, JSON and `run:` are there, and then the trouble."""
    folder = RunStore(tmp_path / "results").create("bench")
    gone = tmp_path / "gone"
    with pytest.raises(Trouble, match=f"there is no folder {gone}"):
        publish(load_run(BENCH), folder, json=str(tmp_path / "json"), html=gone / "page", junit=tmp_path / "junit")
    out, err = capsys.readouterr()
    assert "verdict  valid" in out
    assert err == f"run: {folder.path}\n"
    assert folder.load() == load_run(BENCH) == load_run(tmp_path / "json")
    assert (tmp_path / "junit").read_text().startswith("<?xml")


def test_a_second_trouble_is_said_too(capsys: pytest.CaptureFixture[str]) -> None:
    """The first is raised, for the last line; every step was taken."""
    taken = []

    def step(name: str) -> None:
        taken.append(name)
        if name != "well":
            raise Trouble(name)

    with pytest.raises(Trouble, match="one"):
        each(*(partial(step, name) for name in ("one", "well", "two")))
    assert taken == ["one", "well", "two"]
    assert capsys.readouterr().err == "error: two\n"


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
    assert (out, err) == ("", f"error: {where}: choose another place, or allow writing\n")
    assert list(tmp_path.iterdir()) == []
