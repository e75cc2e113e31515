"""`gurukul conform`: the conformance suite against one target."""

from __future__ import annotations

import asyncio
from pathlib import Path

from harness.cli.folder import run_folder
from harness.cli.judging import Terms
from harness.cli.output import publish
from harness.cli.progress import Progress
from harness.cli.suite import interrupted_suite, run_suite
from harness.cli.targets import Time, checked, opened


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
    given = checked(target, time=time, database_url=database_url)
    name = given.name if given is not None else target
    chosen: Time = "real" if time == "real" else "scaled"
    with run_folder(results, "conform") as folder:
        try:
            with Progress(verbose) as progress:
                async with opened(
                    target, folder, progress, time=chosen, database_url=database_url, whole=True
                ) as there:
                    run = await run_suite(there, folder, progress, k=k, junit=junit)
                    run = run.model_copy(update=dict(Terms.of(there.target).kept()))
        except asyncio.CancelledError:
            run = interrupted_suite(folder, name)
        return publish(run, folder, json=json, html=html)
