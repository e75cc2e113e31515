"""What the tests of the command share: a way to run it as a user does, and a look at what it left behind."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from harness.lab.postgres import Cluster, embedded_postgres

ROOT = Path(__file__).parents[3]
PATIENCE = 120


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def trouble(self) -> str:
        """The one line that a command in trouble says, and nothing else."""
        lines = self.err.splitlines()
        assert self.status == 3, self
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        assert self.out == ""
        return lines[0].removeprefix("error: ")


class Command:
    """`gurukul` with its results and temporary files in a place of its own.

    Children are recognised by that place: it stands in the environment that they inherit.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.results = place / "results"
        self.temporary = place / "t"
        self.temporary.mkdir()
        place.chmod(0o755)
        self.temporary.chmod(0o755)
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts the command."""
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary)}
        process = subprocess.Popen(
            [sys.executable, "-m", "harness.cli", *arguments], cwd=self.place, env=env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.running.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Ended:
        """Waits until a command ends."""
        out, err = process.communicate(timeout=PATIENCE)
        return Ended(process.returncode, out, err)

    def __call__(self, *arguments: str) -> Ended:
        """Runs the command to its end."""
        return self.finish(self.start(*arguments))

    def children(self) -> list[psutil.Process]:
        """The processes that work for a command and have not ended."""
        mark, mine = str(self.temporary), {process.pid for process in self.running}
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TMPDIR") == mark and process.pid not in mine:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def left_behind(self) -> list[str]:
        """What is still there some seconds after a command: processes, throw-away folders."""
        _, alive = psutil.wait_procs(self.children(), timeout=20)
        return [str(process) for process in alive] + [path.name for path in self.temporary.iterdir()]

    def runs(self) -> list[Path]:
        """The folders of the runs."""
        return sorted(self.results.iterdir()) if self.results.is_dir() else []


@contextmanager
def _command() -> Iterator[Command]:
    place = Path(tempfile.mkdtemp(prefix="g-", dir="/tmp"))
    command = Command(place)
    yield command
    for process in command.running:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    psutil.wait_procs(command.children(), timeout=20)
    shutil.rmtree(place)


@pytest.fixture
def gurukul() -> Iterator[Command]:
    """The command line, in a place of its own."""
    with _command() as command:
        yield command


@pytest.fixture(scope="module")
def shared_gurukul() -> Iterator[Command]:
    """One command line for the tests of a module, which look at the same run."""
    with _command() as command:
        yield command


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The URL of a running `gurukul serve`."""
    with _command() as command:
        process = command.start("serve", "--port", "0")
        lines = iter(process.stdout.readline, "")
        yield next(line.split()[-1] for line in lines if line.startswith("supabase url"))
        process.send_signal(signal.SIGINT)
        command.finish(process)


@pytest.fixture
def bash() -> Callable[..., Ended]:
    """Runs a line of bash in which `gurukul` is the command, with more environment where it is named."""

    def line(text: str, **environment: str) -> Ended:
        call = f'gurukul() {{ {sys.executable} -m harness.cli "$@"; }}; {text}'
        done = subprocess.run(
            ["bash", "-c", call], cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    return line


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that somebody else runs, as it seems to the command."""
    with embedded_postgres() as cluster:
        yield cluster


@pytest.fixture
def target_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a target file."""

    def write(url: str = "http://127.0.0.1:1", key: str = "key", name: str = "staging", more: str = "") -> Path:
        path = tmp_path / "target.toml"
        path.write_text(
            f'[target]\nname = "{name}"\napi_url = "{url}/api"\nsupabase_url = "{url}"\nanon_key = "{key}"\n{more}'
        )
        return path

    return write
