"""A deployment of the lab: one engine behind its own server on its own throw-away database, as a target."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from harness.errors import Trouble
from harness.lab.blocking import finished
from harness.lab.database import check_cluster, throwaway_database
from harness.lab.postgres import Cluster, embedded_postgres
from harness.lab.server import Server, running_server
from harness.target import Budgets, Capabilities, Identities, Target

ENGINES = ("documented", "hardened")
Time = Literal["scaled", "real"]
Plan = Literal["none", "free", "pro", "team"]

_ISSUER = "http://gurukul.invalid/auth/v1"
"""What the tokens of a throw-away deployment name as their issuer, whose address nobody knows beforehand."""

_SCALED_SETTINGS: dict[str, object] = {
    "queue_ttl": 6.0, "disconnect_grace": 1.0, "ping_interval": 1.0, "ping_timeout": 1.0, "join_rate_window": 3.0,
    "join_error_delay": 0.2, "refusal_delay": 0.1, "socket_idle_timeout": 12.0,
}  # fmt: skip
_SCALED_BUDGETS = Budgets(queue_ttl=6.0, disconnect=6.0, idle=12.0, join_window=3.0, heal=6.0)


@dataclass(frozen=True)
class Deployment:
    """A running deployment: what a driver needs, and the database for evidence level E2."""

    target: Target
    database_url: str
    server: Server


@asynccontextmanager
async def running_cluster(database_url: str = "", log: Path | None = None) -> AsyncIterator[Cluster]:
    """The given PostgreSQL, or an embedded one for as long as the block lasts. Raises Trouble when it is not fit."""
    if database_url:
        await check_cluster(database_url)
        yield Cluster(database_url, embedded=False)
        return
    manager = embedded_postgres(log)
    try:
        yield await finished(manager.__enter__)
    finally:
        await finished(lambda: manager.__exit__(None, None, None))


@asynccontextmanager
async def deployment(
    engine: str,
    cluster: Cluster,
    log: Path,
    *,
    time: Time = "real",
    queue_ttl: float | None = None,
    settings: dict[str, object] | None = None,
    ended: Callable[[str], Awaitable[None]] | None = None,
) -> AsyncIterator[Deployment]:
    """Starts an engine on a throw-away database of the cluster and stops it at the end.

    Args:
        engine: `documented` or `hardened`.
        cluster: where the database is made.
        log: takes the server's log.
        time: `scaled` gives a short queue TTL and short grace periods, and says so in the target's budgets.
        queue_ttl: seconds; overrides the TTL of either time.
        settings: further settings of the server.
        ended: is given the database's URL when the server has ended, and before the database is dropped.

    Raises:
        Trouble: the cluster is out of reach or unfit, or the server does not start, or it ended before the block did.
    """
    own = {"jwt_secret": secrets.token_hex(32), "jwt_issuer": _ISSUER, **(settings or {})}
    async with throwaway_database(cluster.url) as database_url:
        async with given_database(engine, database_url, log, time=time, queue_ttl=queue_ttl, settings=own) as deployed:
            yield _with_rows(deployed)
        if ended is not None:
            await ended(database_url)


@asynccontextmanager
async def given_database(
    engine: str,
    database_url: str,
    log: Path,
    *,
    time: Time = "real",
    queue_ttl: float | None = None,
    settings: dict[str, object] | None = None,
) -> AsyncIterator[Deployment]:
    """Starts an engine on that very database, which must be empty or the engine's own; as `deployment` otherwise."""
    chosen, budgets = terms_of(time, queue_ttl, settings)
    async with running_server(engine, database_url, log, chosen) as server:
        plan: Any = chosen.get("plan", "none")
        target = target_of(server, time, budgets, jwt_secret=str(chosen.get("jwt_secret", "")), plan=plan)
        yield Deployment(target, database_url, server)
        _still_runs(server)


def _with_rows(deployed: Deployment) -> Deployment:
    """A throw-away database is the suite's to look into (evidence level E2); a given one is not."""
    offers = deployed.target.capabilities.model_copy(update={"database_url": deployed.database_url})
    return replace(deployed, target=deployed.target.model_copy(update={"capabilities": offers}))


def terms_of(
    time: Time, queue_ttl: float | None, settings: dict[str, object] | None
) -> tuple[dict[str, object], Budgets]:
    """What a server is started with for a time, and what it is then allowed; `queue_ttl` and `settings` override."""
    scaled = time == "scaled"
    chosen = {**(_SCALED_SETTINGS if scaled else {}), **(settings or {})}
    budgets = _SCALED_BUDGETS if scaled else Budgets()
    if queue_ttl is not None:
        chosen["queue_ttl"] = queue_ttl
        budgets = budgets.model_copy(update={"queue_ttl": queue_ttl})
    return chosen, budgets


def target_of(server: Server, time: Time, budgets: Budgets, *, jwt_secret: str = "", plan: Plan = "none") -> Target:
    """A server as a target; with its secret the suite can make tokens that say what they must not.

    A target of our own claims all that a target can offer, a relay too: what it lacks is then seen and not passed over.
    """
    return Target(
        name=server.engine, api_url=server.api_url, supabase_url=server.supabase_url, anon_key=server.anon_key,
        time=time, budgets=budgets, capabilities=Capabilities(turn=True, plan=plan),
        identities=Identities(jwt_secret=jwt_secret),
    )  # fmt: skip


def _still_runs(server: Server) -> None:
    status = server.warden.exit_status()
    if status is not None:
        raise Trouble(f"the server of {server.engine} ended by itself with status {status}", f"see {server.log}")
