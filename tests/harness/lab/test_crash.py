"""The crash command: it kills the server and brings it back with what it knew, or says in one sentence why not."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

from harness.client.participant import Participant, Transport
from harness.history.recorder import Recorder
from harness.lab.crash import crashable, main
from harness.lab.deployment import Deployment, deployment
from harness.lab.postgres import Cluster


async def test_the_server_comes_back_as_it_was(cluster: Cluster, tmp_path: Path) -> None:
    """Another process, the same address and keys; and the death that was asked for is not held against the server."""
    async with (
        deployment("hardened", cluster, tmp_path / "log", time="scaled") as deployed,
        crashable(deployed) as there,
        Transport(there.target) as transport,
    ):
        user = await Participant.enter(transport, Recorder([]))
        before = there.server.pid
        assert await ended(there) == (0, "")
        assert there.server.pid != before
        await user.join()
        assert await user.status() == "waiting"
        await user.close()


async def test_a_server_that_was_dead_before_is_a_sentence(cluster: Cluster, tmp_path: Path) -> None:
    """A command that cannot do its work ends with another status, and says why."""
    async with (
        deployment("hardened", cluster, tmp_path / "log", time="scaled") as deployed,
        crashable(deployed) as there,
    ):
        pid, there.server.pid = there.server.pid, 2**22 + 1  # no process can have this id
        status, said = await ended(there)
        there.server.pid = pid
    assert status == 3
    assert said.startswith("error: the server (process 4194305) had ended by itself") and said.count("\n") == 1


def test_nobody_listens_any_more(tmp_path: Path, capsys) -> None:
    """The command of a run that is over says so."""
    assert main([str(tmp_path / "crash.sock")]) == 3
    assert "the run that offered this command is over" in capsys.readouterr().err


async def ended(there: Deployment) -> tuple[int | None, str]:
    """Runs the command as the suite does: its exit status, and what it complained of."""
    command = shlex.split(there.target.capabilities.crash)
    child = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await child.communicate()
    return child.returncode, said.decode()
