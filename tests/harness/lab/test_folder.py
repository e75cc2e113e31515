"""Throw-away folders: locked while their owner lives, swept when it is gone."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.lab.folder import make_folder, sweep_folders


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's, which pytest's own need not."""
    with tempfile.TemporaryDirectory(prefix="g-") as folder:
        yield Path(folder)


def test_a_folder_with_a_living_owner_is_left_alone(short_path: Path):
    """The lock says that the owner lives."""
    folder, lock = make_folder(short_path)
    assert sweep_folders(short_path) == []
    assert folder.is_dir()
    os.close(lock)


def test_a_folder_whose_owner_is_gone_is_removed(short_path: Path):
    """Once the lock is let go, the next sweep takes the folder with all that is in it."""
    folder, lock = make_folder(short_path)
    (folder / "data").mkdir()
    (folder / "data" / "postmaster.pid").write_text("not a pid\n")
    os.close(lock)
    assert sweep_folders(short_path) == [folder]
    assert list(short_path.iterdir()) == []


def test_a_sweep_leaves_what_is_not_ours(tmp_path: Path):
    """A folder of our name without our lock file stays."""
    (tmp_path / "gurukul-lab-foreign").mkdir()
    (tmp_path / "else").mkdir()
    assert sweep_folders(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path):
    """The trouble names the folder and the variable to set."""
    with pytest.raises(Trouble, match=r"no throw-away folder can be made in .*: set TMPDIR"):
        make_folder(tmp_path / "missing")


def test_a_path_too_long_for_a_socket_says_what_to_do(tmp_path: Path):
    """PostgreSQL's socket has to fit into 107 bytes; nothing is left behind."""
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    with pytest.raises(Trouble, match="too long for a socket in it: set TMPDIR to a shorter path"):
        make_folder(deep)
    assert list(deep.iterdir()) == []
