"""`gurukul serve`: the reference server, with a database of its own or with a given one, until Ctrl-C."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from harness.cli.progress import Progress
from harness.cli.streams import put
from harness.errors import Trouble
from harness.lab.database import without_password
from harness.lab.deployment import ENGINES, Deployment, deployment, given_database, running_cluster
from harness.lab.folder import make_folder, sweep_folders
from harness.lab.mutants import find_mutant
from harness.results.store import write_text
from harness.target import Target, dump_target


async def serve(
    engine: str,
    chosen: Mapping[str, object],
    further: Sequence[str],
    database_url: str,
    queue_ttl: float | None,
    mutant: str,
    write_target: Path | None,
    verbose: int,
) -> int:
    """Starts the server, says where it is, and waits until it ends.

    `chosen` are settings of the server by name, `further` are others as `NAME=VALUE`, which come after them.

    Raises:
        Trouble: it cannot start, or it breaks.
    """
    settings = {**chosen, **read_settings(further)}
    if engine not in ENGINES:
        raise Trouble(f"there is no engine {engine}", f"choose one of {', '.join(ENGINES)}")
    check_host(str(settings.get("host") or "127.0.0.1"))
    fault = find_mutant(mutant) if mutant else None
    if fault is not None:
        engine, queue_ttl = fault.engine, fault.budgets.get("queue_ttl", queue_ttl)
    sweep_folders()
    folder, lock = make_folder()
    try:
        with Progress(verbose) as progress:
            if fault is not None:
                settings["mutant"] = fault.path
            async with _deployed(engine, settings, database_url, queue_ttl, folder / "server.log") as deployed:
                target = _with_plan(deployed.target, str(settings["plan"]))
                target = target if fault is None else fault.declared(target)
                progress.detail(f"log: {folder / 'server.log'}")
                _announce(replace(deployed, target=target), bool(database_url), write_target)
                how = await deployed.server.ended()
                raise Trouble(f"the server ended by itself ({how})", "")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def check_host(host: str) -> None:
    """Looks whether this machine can listen at an address, on whatever port. Raises Trouble where it cannot."""
    try:
        family, *_, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as place:
            place.bind(address)
    except OSError as error:
        remedy = "choose an address of this machine as --host, or 0.0.0.0 for all that it has"
        raise Trouble(f"cannot listen at {host} ({error.strerror or error})", remedy) from None


def read_settings(texts: Sequence[str]) -> dict[str, object]:
    """Settings by name from `NAME=VALUE`. Raises Trouble for one without a name or a value."""
    found: dict[str, object] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise Trouble(f"--set {text}: a setting is NAME=VALUE", "python -m reference_server --help lists them")
        found[name.strip().replace("-", "_")] = value
    return found


def _with_plan(target: Target, plan: str) -> Target:
    """The target file says under which plan's ceilings the server runs."""
    fields = target.model_dump()
    fields["capabilities"]["plan"] = plan
    return Target.model_validate(fields)


@asynccontextmanager
async def _deployed(
    engine: str, settings: dict[str, object], database_url: str, queue_ttl: float | None, log: Path
) -> AsyncIterator[Deployment]:
    if database_url:
        async with given_database(engine, database_url, log, queue_ttl=queue_ttl, settings=settings) as deployed:
            yield deployed
        return
    async with (
        running_cluster() as cluster,
        deployment(engine, cluster, log, queue_ttl=queue_ttl, settings=settings) as deployed,
    ):
        yield deployed


def _announce(deployed: Deployment, kept: bool, write_target: Path | None) -> None:
    target = deployed.target
    lines = [
        f"engine        {target.name}",
        f"api           {target.api_url}",
        f"supabase url  {target.supabase_url}",
        f"anon key      {target.anon_key}",
        f"database      {without_password(deployed.database_url)} ({'kept' if kept else 'gone with this command'})",
    ]
    if write_target is not None:
        write_text(write_target, dump_target(target))
        lines.append(f"target file   {write_target}")
    put("\n".join([*lines, "ready; Ctrl-C stops it", ""]))
