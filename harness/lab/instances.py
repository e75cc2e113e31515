"""Several instances of one engine on one database, behind one address, any of which may be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from harness.errors import Trouble
from harness.lab.balancer import Balancer
from harness.lab.database import throwaway_database
from harness.lab.deployment import Time, target_of, terms_of
from harness.lab.postgres import Cluster
from harness.lab.program import killed
from harness.lab.server import Server, running_server
from harness.target import Budgets, Target


class Instances:
    """Instances that run: a user of `target` may join at one, listen at another and poll a third.

    Attributes:
        target: all of them, behind one address.
        database_url: the database that they share, for evidence level E2.
        pids: the process id of each.
        urls: of each server by itself (of one where the instances are its workers).
    """

    def __init__(self, target: Target, database_url: str, pids: Sequence[int], urls: Sequence[str] = ()) -> None:
        self.target = target
        self.database_url = database_url
        self.pids = tuple(pids)
        self.urls = tuple(urls)
        self.killed: set[int] = set()
        """Process ids of those that `kill` has ended."""

    async def kill(self, place: int) -> int:
        """Ends an instance by SIGKILL; returns its process id when it is gone.

        Raises:
            Trouble: it had ended by itself before.
        """
        pid = self.pids[place]
        self.killed.add(pid)
        if not await killed(pid):
            self.killed.discard(pid)
            raise Trouble(f"instance {place} (process {pid}) has ended by itself", "see the server's log")
        return pid


@asynccontextmanager
async def running_instances(
    engine: str,
    cluster: Cluster,
    folder: Path,
    *,
    count: int = 2,
    one_port: bool = False,
    time: Time = "real",
    settings: dict[str, object] | None = None,
) -> AsyncIterator[Instances]:
    """Starts instances of an engine on one throw-away database, and stops those that are left at the end.

    Args:
        engine: `documented` or `hardened`.
        cluster: where the database is made.
        folder: takes the logs of the servers.
        count: how many.
        one_port: whether they are workers of one server, between which the kernel shares the connections out; else each
            is a server of its own, and a balancer of ours does that.
        time: as for `deployment`.
        settings: further settings of every instance.

    Raises:
        Trouble: as `deployment` does; or an instance ended by itself before the block did.
    """
    chosen, budgets = terms_of(time, None, settings)
    start = _workers if one_port else _servers
    async with (
        throwaway_database(cluster.url) as database_url,
        start(engine, database_url, folder, count, chosen) as (servers, url),
    ):
        pids = servers[0].workers if one_port else [server.pid for server in servers]
        running = Instances(
            _behind(url, servers[0], time, budgets), database_url, pids, [server.url for server in servers]
        )
        yield running
        for server in servers:
            status = server.warden.exit_status()
            if status is not None and server.pid not in running.killed:
                raise Trouble(f"an instance of {engine} ended by itself with status {status}", f"see {server.log}")


@asynccontextmanager
async def _workers(
    engine: str, database_url: str, folder: Path, count: int, settings: dict[str, object]
) -> AsyncIterator[tuple[list[Server], str]]:
    async with running_server(engine, database_url, folder / "server.log", {**settings, "workers": count}) as server:
        yield [server], server.url


@asynccontextmanager
async def _servers(
    engine: str, database_url: str, folder: Path, count: int, settings: dict[str, object]
) -> AsyncIterator[tuple[list[Server], str]]:
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                running_server(engine, database_url, folder / f"server.{place}.log", settings)
            )
            for place in range(count)
        ]
        balancer = Balancer([_address(server.url) for server in servers])
        stack.push_async_callback(balancer.close)
        await balancer.start()
        yield servers, balancer.url


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def _behind(url: str, server: Server, time: Time, budgets: Budgets) -> Target:
    """The target of one server, at another address."""
    target = target_of(server, time, budgets)
    return target.model_copy(update={"api_url": f"{url}/api", "supabase_url": url})
