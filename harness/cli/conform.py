"""`gurukul conform`: the conformance suite against one target."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.cli.output import publish
from harness.cli.progress import Progress
from harness.cli.suite import interrupted_suite, run_suite
from harness.cli.targets import opened
from harness.results.store import RunStore


async def conform(
    target: str,
    k: str,
    time: str,
    database_url: str,
    results: Path,
    json: str,
    junit: Path | None,
    html: Path | None,
    verbose: int,
) -> int:
    """Tests a target, stores and shows what came of it; returns the exit status."""
    folder = RunStore(results).create("conform")
    name = target
    try:
        with Progress(verbose) as progress:
            async with opened(target, folder, progress, time=time, database_url=database_url) as there:
                name = there.target.name
                run = await run_suite(there, folder, progress, k=k, junit=junit)
    except asyncio.CancelledError:
        run = interrupted_suite(folder, name)
    return publish(run, folder, json=json, html=html)
