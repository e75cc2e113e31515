"""`gurukul peers`: pairs of users who are matched by the target and make real WebRTC connections."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.cli.folder import run_folder
from harness.cli.measured import concluded
from harness.cli.output import publish
from harness.cli.progress import Progress
from harness.cli.targets import Opened, checked, opened
from harness.errors import Trouble
from harness.results.fingerprint import take_fingerprint
from harness.results.run import PeersRun
from harness.results.store import RunFolder


async def peers(
    target: str, pairs: int, network: str, seed: int, database_url: str, results: Path, json: str, verbose: int
) -> int:
    """Runs the pairs, stores and shows what came of them; returns the exit status."""
    from harness.actor.pairing import NETWORKS

    checked(target, database_url=database_url)
    if network not in NETWORKS:
        raise Trouble(f"there is no network {network}", f"choose {' or '.join(NETWORKS)}")
    fingerprint = take_fingerprint(seed=seed, settings={"pairs": pairs, "network": network})
    there: Opened | None = None
    interrupted = False
    with run_folder(results, "peers") as folder:
        try:
            with Progress(verbose) as progress:
                async with opened(target, folder, progress, time="real", database_url=database_url) as there:
                    await run_peers(there, folder, progress, pairs=pairs, network=network, seed=seed)
        except asyncio.CancelledError:
            interrupted = True
        measured = concluded(there, folder, interrupted=interrupted)
        run = PeersRun(fingerprint=fingerprint, interrupted=interrupted, **measured)
        return publish(run, folder, json=json, html=None)


async def run_peers(
    there: Opened, folder: RunFolder, progress: Progress, *, pairs: int, network: str, seed: int
) -> Path:
    """Runs the pairs; returns the history that they left, as it is kept also when the caller is cancelled."""
    from harness.actor.pairing import PairProgress, run_pairs
    from harness.history.journal import Journal
    from harness.history.recorder import Recorder

    path = folder.path / f"history.{there.target.name}.peers.ndjson"

    def told(now: PairProgress) -> None:
        stage.say(f"{now.finished} of {now.pairs} pairs, {now.connected} users connected")

    with Journal(path) as journal, progress.stage(f"{there.target.name}: peers", f"0 of {pairs} pairs") as stage:
        recorder = Recorder(journal, process=f"{there.target.name}.peers.0", seed=seed)
        try:
            await run_pairs(there.target, recorder, pairs=pairs, seed=seed, network=network, progress=told)
        finally:
            recorder.close()
    return path
