"""Several instances on one database behind one address, and one of them killed."""

from __future__ import annotations

import aiohttp
import pytest

from harness.lab.instances import running_instances


async def ready(url: str) -> bool:
    """Whether an instance behind that address answers, over a connection of its own."""
    async with aiohttp.ClientSession() as http:
        try:
            async with http.get(f"{url}/ready", timeout=aiohttp.ClientTimeout(10)) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False


@pytest.mark.parametrize("one_port", [True, False], ids=["workers", "servers"])
async def test_one_is_killed_and_the_other_answers(cluster, tmp_path, gone, one_port):
    """Both are processes of their own; `kill` returns when one is gone, and the address goes on answering."""
    async with running_instances("hardened", cluster, tmp_path, one_port=one_port, time="scaled") as instances:
        assert len(set(instances.pids)) == 2
        assert all([await ready(instances.target.supabase_url) for _ in range(4)])
        killed = await instances.kill(0)
        assert instances.killed == {killed} == {instances.pids[0]}
        assert gone(killed)
        assert all([await ready(instances.target.supabase_url) for _ in range(4)])
    assert gone(instances.pids[1])
