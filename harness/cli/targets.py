"""What a TARGET on the command line is: a built-in deployment, started for the command, or a target file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.cli.progress import Progress
from harness.errors import Trouble
from harness.results.store import RunFolder, write_text
from harness.target import Target, dump_target, load_target

BUILT_IN = ("documented", "hardened")


Time = Literal["scaled", "real"]
RELAY_LIFETIMES = {"scaled": 15, "real": 90}
"""Seconds for which the credentials for the relay are good: short enough that the suite sees them expire."""


@dataclass(frozen=True)
class Opened:
    """A target that is there to be used, and the file that tells other programs of it."""

    target: Target
    file: Path


def checked(name: str, *, time: str = "", database_url: str = "") -> Target | None:
    """The target of a file, None for a built-in one: what can be said before anything is started.

    Raises:
        Trouble: no such target, a bad file, or an option that does not fit.
    """
    if time not in {"", "scaled", "real"}:
        raise Trouble(f"there is no time {time}", "choose --time scaled or --time real")
    if name in BUILT_IN:
        return None
    if "://" in name:
        raise Trouble(
            f"{name} is a URL, and a target is named by a file that holds its URLs and its keys",
            "write one (docs/conformance.md), or have it written by gurukul serve --write-target FILE",
        )
    target = load_target(Path(name))
    if time not in {"", target.time}:
        raise Trouble(f"{name} says time = {target.time!r}", f"leave out --time {time}, or mend the target file")
    if database_url:
        raise Trouble(f"--database-url is for the built-in targets, not for {name}", "leave it out")
    return target


@asynccontextmanager
async def opened(
    name: str,
    folder: RunFolder,
    progress: Progress,
    *,
    time: Time,
    database_url: str = "",
    whole: bool = False,
    ended: Callable[[str], Awaitable[None]] | None = None,
) -> AsyncIterator[Opened]:
    """Starts a built-in target, with its logs in the run's folder, or reads a target file.

    Args:
        name: `documented`, `hardened` or a path; a file of that name is not looked at.
        folder: of the run.
        progress: hears of the start.
        time: of a built-in target.
        database_url: for built-in targets; empty starts an embedded PostgreSQL.
        whole: as the suite wants a built-in one: with a plan's ceilings, a `crash` command, and a relay where the
            machine has coturn.
        ended: is given the URL of the target's database, where there is one, when all is over: a built-in target has
            ended then, and its database is still there.

    Raises:
        Trouble: no such target, a bad file, a deployment that does not start, or an option that does not fit.
    """
    given = checked(name, database_url=database_url)
    if given is not None:
        yield Opened(given, Path(name))
        if ended is not None and given.capabilities.database_url:
            await ended(given.capabilities.database_url)
        return
    from harness.lab.crash import crashable
    from harness.lab.deployment import deployment, running_cluster

    async with AsyncExitStack() as stack:
        with progress.stage(name, "starting PostgreSQL and the server") as stage:
            cluster = await stack.enter_async_context(
                running_cluster(database_url, folder.logs / f"postgres-{name}.log")
            )
            settings = await _whole(stack, name, folder, time) if whole else {}
            deployed = await stack.enter_async_context(
                deployment(name, cluster, folder.logs / f"server-{name}.log", time=time, settings=settings, ended=ended)
            )
            if whole:
                deployed = await stack.enter_async_context(crashable(deployed))
            stage.result(f"ready at {deployed.target.supabase_url}")
        yield Opened(deployed.target, write_target(deployed.target, folder))


async def _whole(stack: AsyncExitStack, name: str, folder: RunFolder, time: Time) -> dict[str, object]:
    """Starts what stands beside the server until the stack ends; returns what the server must know of it."""
    from harness.lab.coturn import running_coturn

    settings: dict[str, object] = {"plan": "team"}
    if name != "documented":
        coturn = await stack.enter_async_context(running_coturn(folder.logs / "coturn.log"))
        settings |= coturn.settings(RELAY_LIFETIMES[time]) if coturn is not None else {}
    return settings


def write_target(target: Target, folder: RunFolder) -> Path:
    """Writes a built-in target's file into the run's folder, for the programs that drive it."""
    path = folder.path / f"target-{target.name}.toml"
    write_text(path, dump_target(target))
    return path
