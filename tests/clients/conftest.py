"""The official clients, installed once from their locks into `.clients/`, and a server for them."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from harness.lab.deployment import Deployment, deployment
from harness.lab.postgres import Cluster

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".clients"
OLDEST_NODE = 20

TURN_SECRET = "what the TURN server knows too"
SETTINGS: dict[str, object] = {
    # The one that the provider's local stack uses everywhere: with it the scripts sign tokens of their own.
    "jwt_secret": "super-secret-jwt-token-with-at-least-32-characters-long",
    "jwt_issuer": "",  # as the provider has it: the address that is asked
    "replay_window": 0,  # as the provider has it: the scripts count every row that they are told
    "refresh_reuse_interval": 0,  # so that a reused token is refused at once
    "turn_secret": TURN_SECRET,
    "turn_uris": "turn:127.0.0.1:3478?transport=udp",
}

Deploy = Callable[..., AbstractAsyncContextManager[Deployment]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "clients: runs the official clients, which it installs from their registries")


@pytest.fixture
def deploy(postgres_url: str, tmp_path: Path) -> Deploy:
    """A server with that engine, on a database of its own, with the settings that the scripts need and others."""

    @asynccontextmanager
    async def deployed(engine: str, **others: object) -> AsyncIterator[Deployment]:
        cluster = Cluster(postgres_url, embedded=True)
        async with deployment(engine, cluster, tmp_path / "server.log", settings=SETTINGS | others) as running:
            yield running

    return deployed


@pytest.fixture
def turn_secret() -> str:
    """What the server shares with its TURN server."""
    return TURN_SECRET


@pytest.fixture(scope="session")
def node_client() -> Callable[[str], Path]:
    """Installs that version of @supabase/supabase-js; gives the folder with its node_modules."""

    def install(version: str) -> Path:
        _require_node()
        source = HERE / "js" / version
        parts = [source / "package.json", source / "package-lock.json"]
        with _cached(f"js-{version}", parts) as (folder, ready):
            if not ready:
                for part in parts:
                    shutil.copy(part, folder)
                _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
        return folder

    return install


@pytest.fixture(scope="session")
def python_client() -> Path:
    """Installs the Python client into an environment of its own; gives that environment's interpreter."""
    requirements = HERE / "python" / "requirements.txt"
    with _cached(f"python-{sys.version_info.major}.{sys.version_info.minor}", [requirements]) as (folder, ready):
        interpreter = folder / "bin" / "python"
        if not ready:
            _run([sys.executable, "-m", "venv", "--clear", str(folder)], HERE)
            _run(
                [
                    str(interpreter),
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "-r",
                    str(requirements),
                ],
                HERE,
            )
    return interpreter


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., object]:
    """Runs a script of checks to its end; fails with the checks that failed, and with the server's last words."""

    async def run(*command: str | Path, deadline: float) -> None:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            async with asyncio.timeout(deadline):
                output, _ = await process.communicate()
        except TimeoutError:
            pytest.fail(f"the script has not ended within {deadline:.0f} s", pytrace=False)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        lines = output.decode(errors="replace").splitlines()
        sys.stdout.write("\n".join(lines) + "\n")
        unmet = [line for line in lines if not line.startswith(("ok ", "#"))]
        if process.returncode != 0 or not any(line.startswith("ok ") for line in lines):
            said = (tmp_path / "server.log").read_text(errors="replace").splitlines()[-20:]
            report = [f"exit status {process.returncode}", *unmet[-80:], "the server's log ends with:", *said]
            pytest.fail("\n".join(report), pytrace=False)

    return run


@contextmanager
def _cached(name: str, keyed_by: list[Path]) -> Iterator[tuple[Path, bool]]:
    """The folder of what these files lock, held by one process at a time; ready once the block has ended well."""
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in keyed_by)).hexdigest()[:12]
    folder = CACHE / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    mark = folder / ".ready"
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = mark.exists()
        yield folder, ready
        mark.touch()


def _require_node() -> None:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.fail(
                f"{program} is not installed: Node.js {OLDEST_NODE} or newer must be on the path", pytrace=False
            )
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        pytest.fail(f"node is {version}: {OLDEST_NODE} or newer is needed", pytrace=False)


def _run(command: list[str], folder: Path) -> None:
    # What pip and npm are told by the environment holds (indexes, proxies, certificates); our own paths do not.
    env = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}", pytrace=False)
