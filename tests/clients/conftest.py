"""The official clients, installed once from their locks into `.clients/`, and a server for them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from harness.lab.deployment import Deployment, deployment
from harness.lab.postgres import Cluster

HERE = Path(__file__).parent

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

Installed = Callable[[str, list[Path], list[list[str]]], Path]
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
def node_client(npm_installed: Callable[[Path], Path]) -> Callable[[str], Path]:
    """Installs that version of @supabase/supabase-js; gives the folder with its node_modules."""
    return lambda version: npm_installed(HERE / "js" / version)


@pytest.fixture(scope="session")
def python_client(installed: Installed) -> Path:
    """Installs the Python client into an environment of its own; gives that environment's interpreter."""
    requirements = HERE / "python" / "requirements.txt"
    pip = ["bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
    name = f"python-{sys.version_info.major}.{sys.version_info.minor}"
    folder = installed(name, [requirements], [[sys.executable, "-m", "venv", "--clear", "."], pip])
    return folder / "bin" / "python"


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
