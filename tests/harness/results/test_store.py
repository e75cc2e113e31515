"""The store makes a folder for each run, writes in one step, and says plainly what it cannot read or write."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.results.finding import Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import PeersRun
from harness.results.store import RunStore, check_writable, load_run, write_text

RUN = PeersRun(fingerprint=Fingerprint(created="2026-01-01T00:00:00+00:00"), verdict=Verdict.VALID)


def test_a_run_is_kept_in_a_folder_of_its_own(tmp_path: Path) -> None:
    """Time, kind and a short id name the folder; what was saved loads from the folder and from the file."""
    store = RunStore(tmp_path / "results")
    folder = store.create("peers")
    assert re.fullmatch(r"\d{8}T\d{6}Z-peers-[0-9a-f]{6}", folder.path.name)
    assert folder.logs.is_dir()
    assert folder.save(RUN) == folder.path / "run.json"
    assert folder.load() == load_run(folder.path) == load_run(folder.run_file) == RUN
    assert store.runs() == [folder.path]
    assert sorted(path.name for path in folder.path.iterdir()) == ["logs", "run.json"]


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    """Runs of the same second get folders of their own."""
    store = RunStore(tmp_path)
    assert store.create("bench").path != store.create("bench").path
    assert store.runs() == []


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    """A results folder that is a file is one line with a remedy."""
    (tmp_path / "results").write_text("")
    with pytest.raises(Trouble, match="the results cannot be written to") as trouble:
        RunStore(tmp_path / "results").create("bench")
    assert "choose another folder" in str(trouble.value)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """Where writing fails, the old file stays, and no part of the new one is left."""
    write_text(tmp_path / "x", "old")
    with pytest.raises(Trouble, match="cannot be written"):
        write_text(tmp_path / "none" / "x", "new")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Trouble, match="cannot be written"):
        write_text(tmp_path / "folder", "new")
    assert (tmp_path / "x").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "x"]


def test_a_full_disk_is_told_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place, the reason and the remedy that fits it; nothing is left of the new file."""

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Trouble) as trouble:
        write_text(tmp_path / "x", "new")
    why = f"{tmp_path / 'x'} cannot be written (No space left on device)"
    assert str(trouble.value) == f"{why}: make room there, or choose another folder"
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path) -> None:
    """A link to a file, to a link, and to what is not there yet; one that leads round in a circle is told."""
    file, link, far, dangling, circle = (tmp_path / name for name in ("file", "link", "far", "dangling", "circle"))
    file.write_text("old")
    link.symlink_to("file")
    far.symlink_to(link)
    dangling.symlink_to(tmp_path / "made")
    circle.symlink_to(circle)
    for path, target in ((link, file), (far, file), (dangling, tmp_path / "made")):
        write_text(path, path.name)
        assert path.is_symlink() and not target.is_symlink()
        assert target.read_text() == path.name
    with pytest.raises(Trouble, match="circle cannot be written"):
        write_text(circle, "x")


@pytest.mark.parametrize("by_link", [False, True])
def test_a_pipe_is_written_to_as_it_is(tmp_path: Path, by_link: bool) -> None:
    """Whoever reads it gets the text; it is not replaced by a file, nor opened by a look whether it can be written."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = tmp_path / "link" if by_link else pipe
    if by_link:
        path.symlink_to(pipe)
    check_writable(path)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(path, "text")
    assert os.read(reader, 100) == b"text"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_descriptor_of_ours_is_written_to_as_it_is(tmp_path: Path) -> None:
    """`--json >(program)` is a pipe under /dev/fd; one that leads to a file keeps what stands there before."""
    out, into = os.pipe()
    check_writable(Path(f"/dev/fd/{into}"))
    write_text(Path(f"/dev/fd/{into}"), "text")
    assert os.read(out, 100) == b"text"
    os.close(out)
    os.close(into)
    with (tmp_path / "log").open("w+") as log:
        log.write("before ")
        log.flush()
        write_text(Path(f"/proc/self/fd/{log.fileno()}"), "text")
        log.write(" after")
    assert (tmp_path / "log").read_text() == "before text after"
    with pytest.raises(Trouble, match=r"/dev/fd/\d+ cannot be written"):
        check_writable(Path(f"/dev/fd/{out}"))


def test_a_look_whether_a_file_can_be_written_leaves_all_as_it_is(tmp_path: Path) -> None:
    """The old file keeps its text, no new one appears; what cannot be written is told as writing would tell it."""
    (tmp_path / "old").write_text("old")
    (tmp_path / "folder").mkdir()
    check_writable(tmp_path / "old")
    check_writable(tmp_path / "new")
    for name, why in (("folder", "Is a directory"), ("none/x", f"there is no folder {tmp_path / 'none'}")):
        with pytest.raises(Trouble) as looked:
            check_writable(tmp_path / name)
        with pytest.raises(Trouble) as wrote:
            write_text(tmp_path / name, "x")
        assert str(looked.value) == str(wrote.value)
        assert why in str(looked.value)
    assert (tmp_path / "old").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "old"]


DATA = json.loads(RUN.model_dump_json(by_alias=True))
UNREADABLE = {
    "cut short": (RUN.model_dump_json(by_alias=True)[:40], "is not JSON"),
    "empty": ("", "is not JSON"),
    "another program's": ('{"a": 1}', "is not a run of this harness"),
    "a list": ("[1]", "is not a run of this harness"),
    "another schema": ('{"schema": "other/1"}', "is not a run of this harness"),
    "a schema that is a number": ('{"schema": 1}', "is not a run of this harness"),
    "a newer version": (json.dumps({**DATA, "schema": "gurukul.run/9"}), "has the format gurukul.run/9"),
    "another kind": (json.dumps({**DATA, "kind": "dance"}), "it is damaged"),
    "a wrong value": (json.dumps({**DATA, "verdict": "fine"}), "verdict: Input should be"),
    "an unknown key": (json.dumps({**DATA, "more": 1}), "more: Extra inputs"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_explained(name: str, tmp_path: Path) -> None:
    """A file that is no run, or not of this version, is a Trouble of one line that names the file and a remedy."""
    text, words = UNREADABLE[name]
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(Trouble) as trouble:
        load_run(tmp_path)
    assert words in str(trouble.value)
    assert "run.json" in str(trouble.value)
    assert trouble.value.remedy
    assert "\n" not in str(trouble.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A binary file is told apart from a missing one."""
    (tmp_path / "run.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Trouble, match="cannot be read"):
        load_run(tmp_path / "run.json")
    with pytest.raises(Trouble, match="there is no run in"):
        load_run(tmp_path / "none")
