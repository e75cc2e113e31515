"""`gurukul peers`: pairs of users who are matched by the target and make real WebRTC connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.folder import run_folder
from harness.cli.measured import concluded
from harness.cli.output import publish
from harness.cli.progress import Progress
from harness.cli.require import required
from harness.cli.targets import Opened, checked, opened
from harness.history.quiet_memory import search_less_for_garbage
from harness.results.fingerprint import take_fingerprint
from harness.results.run import PeersRun
from harness.results.store import RunFolder

if TYPE_CHECKING:
    from harness.actor.peers_plan import PeersPlan
    from harness.actor.population import Population


def loop_for(network: str) -> asyncio.AbstractEventLoop | None:
    """The event loop that suits a network; None where only asyncio's own will do: peers in namespaces make sockets."""
    if network == "loopback":
        import uvloop

        return uvloop.new_event_loop()
    if network != "vnet":
        return None
    from harness.network.vnet.clock import Pace
    from harness.network.vnet.loop import VirtualLoop

    return VirtualLoop(Pace.REAL)


async def peers(
    plan: PeersPlan, target: str, database_url: str, results: Path, json: str, html: Path | None, verbose: int,
    require: Sequence[str] = (),
) -> int:  # fmt: skip
    """Runs the pairs, stores and shows what came of them; returns the exit status."""
    require = required(require, checked(target, database_url=database_url))
    plan.checked()
    fingerprint = take_fingerprint(seed=plan.seed, settings=_settings(plan))
    there: Opened | None = None
    interrupted = False
    search_less_for_garbage()
    with run_folder(results, "peers") as folder:
        try:
            with Progress(verbose) as progress:
                async with (
                    _living(plan, progress) as population,
                    opened(target, folder, progress, time="real", database_url=database_url) as there,
                ):
                    await run_peers(there, folder, progress, plan, population)
        except asyncio.CancelledError:
            interrupted = True
        measured = concluded(there, folder, interrupted=interrupted, require=require)
        run = PeersRun(fingerprint=fingerprint, interrupted=interrupted, **measured)
        return publish(run, folder, json=json, html=html)


def _settings(plan: PeersPlan) -> dict[str, Any]:
    """What the run was asked for, as its fingerprint keeps it."""
    settings: dict[str, Any] = {"pairs": plan.pairs, "network": plan.network, "concurrency": plan.at_once}
    if (mix := plan.mix) is not None:
        settings |= {"nat_mix": mix.name, "turn": [arm.value for arm in plan.arms]}
    return settings | {"handshake": plan.patience}


@asynccontextmanager
async def _living(plan: PeersPlan, progress: Progress) -> AsyncIterator[Population | None]:
    """The population of a plan; says that its NATs are proven."""
    from harness.actor.population import populated

    if plan.network == "loopback":
        yield None
        return
    async with AsyncExitStack() as stack:
        with progress.stage(plan.network, "asking the NATs what they are") as stage:
            population = await stack.enter_async_context(populated(plan))
            stage.result("every kind of NAT has proven what it is")
        yield population


async def run_peers(
    there: Opened, folder: RunFolder, progress: Progress, plan: PeersPlan, population: Population | None = None
) -> Path:
    """Runs the pairs; returns the history that they left, as it is kept also when the caller is cancelled."""
    from harness.actor.pairing import PairProgress, run_pairs
    from harness.history.journal import Journal
    from harness.history.recorder import Recorder

    path = folder.path / f"history.{there.target.name}.peers.ndjson"

    def told(now: PairProgress) -> None:
        stage.say(f"{now.finished} of {now.pairs} pairs, {now.connected} users connected")

    with Journal(path) as journal, progress.stage(f"{there.target.name}: peers", f"0 of {plan.pairs} pairs") as stage:
        recorder = Recorder(journal, process=f"{there.target.name}.peers.0", seed=plan.seed)
        try:
            await run_pairs(there.target, recorder, plan, population, progress=told)
        finally:
            recorder.close()
    return path
