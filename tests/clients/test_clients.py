"""The unmodified official clients against the server: every call that they make, and the client flow of the document.

`GURUKUL_CLIENT_RUNS=50 pytest -m clients` runs each script that often.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.lab.deployment import Deployment

HERE = Path(__file__).parent
RUNS = int(os.environ.get("GURUKUL_CLIENT_RUNS", "1"))
DEADLINE = 60.0 + 60.0 * RUNS
"""Seconds for one script, all its runs together."""

FLOW = ("matchmaking", "signalling")
"""The suites whose outcome the engine decides."""
AT_ONCE = {"find_match_delay": 0.0}
"""The documented engine answers a join before it searches. Its search begins at once here, not up to 20 ms later: with
the document's delay a quick client meets its races, which are the suite's business: users matched twice or put back."""
KEYS = ("auth", "errors", "tokens", "sockets")
"""The suites whose outcome the way of signing tokens may change."""

pytestmark = pytest.mark.clients


def _target(deployed: Deployment) -> list[str]:
    target = deployed.target
    return [
        f"--supabase-url={target.supabase_url}", f"--api-url={target.api_url}", f"--anon-key={target.anon_key}",
        f"--engine={target.name}", f"--times={RUNS}",
    ]  # fmt: skip


@pytest.mark.parametrize("frames", ["1.0.0", "2.0.0"])
@pytest.mark.parametrize("version", ["2.86.0", "2.109.0"])
async def test_javascript(
    version: str, frames: str, deploy: Any, node_client: Callable[[str], Path], script: Any, turn_secret: str
) -> None:
    """Everything that the JavaScript client asks for is answered as its provider would, on both frame versions."""
    installed = node_client(version)
    async with deploy("hardened") as deployed:
        command = ["node", HERE / "js" / "main.mjs", f"--installed={installed}", f"--vsn={frames}"]
        await script(*command, f"--turn-secret={turn_secret}", *_target(deployed), deadline=DEADLINE)


@pytest.mark.parametrize("version", ["2.86.0", "2.109.0"])
async def test_javascript_documented(
    version: str, deploy: Any, node_client: Callable[[str], Path], script: Any
) -> None:
    """The flow of the document runs against the documented engine too, with each version's own frames."""
    installed = node_client(version)
    async with deploy("documented", **AT_ONCE) as deployed:
        suites = [f"--suite={name}" for name in FLOW]
        command = ["node", HERE / "js" / "main.mjs", f"--installed={installed}", *suites]
        await script(*command, *_target(deployed), deadline=DEADLINE)


@pytest.mark.parametrize("version", ["2.86.0", "2.109.0"])
async def test_javascript_es256(version: str, deploy: Any, node_client: Callable[[str], Path], script: Any) -> None:
    """With users' tokens signed by a key pair, the client verifies them by the key set, and all else is as before."""
    installed = node_client(version)
    async with deploy("hardened", jwt_algorithm="ES256") as deployed:
        suites = [f"--suite={name}" for name in KEYS]
        command = ["node", HERE / "js" / "main.mjs", f"--installed={installed}", *suites]
        await script(*command, *_target(deployed), deadline=DEADLINE)


async def test_python(deploy: Any, python_client: Path, script: Any) -> None:
    """Everything that the Python client asks for is answered as its provider would."""
    async with deploy("hardened") as deployed:
        await script(python_client, HERE / "python" / "main.py", *_target(deployed), deadline=DEADLINE)


async def test_python_documented(deploy: Any, python_client: Path, script: Any) -> None:
    """The flow of the document runs against the documented engine too."""
    async with deploy("documented", **AT_ONCE) as deployed:
        suites = [f"--suite={name}" for name in FLOW]
        await script(python_client, HERE / "python" / "main.py", *suites, *_target(deployed), deadline=DEADLINE)
