"""`gurukul conform`: the conformance suite against one target, or against several side by side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.cli.folder import run_folder
from harness.cli.judging import Terms
from harness.cli.output import each, publish, write_json, write_reports
from harness.cli.progress import Progress
from harness.cli.running import together
from harness.cli.suite import interrupted_suite, run_suite, troubled_suite
from harness.cli.targets import Opened, Time, checked, opened
from harness.errors import Trouble
from harness.results.fingerprint import take_fingerprint
from harness.results.redaction import redact, secrets_of
from harness.results.run import ConformRun, ConformSetRun, ConformVerdict, dump_run
from harness.results.store import RunFolder, parse_run
from harness.target import Target

_WORST: tuple[ConformVerdict, ...] = ("not-conformant", "unknown", "partial", "conformant")


@dataclass
class Suites:
    """What the suites of one command share, and what came of each."""

    folder: RunFolder
    progress: Progress
    k: str
    time: Time
    database_url: str
    runs: dict[str, ConformRun] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)
    """What kept a target from being tested, by its name."""
    turns: dict[str, asyncio.Lock] = field(default_factory=dict)
    """By address: two files that name the same deployment share its queue, so their suites take turns."""

    async def test(self, argument: str, name: str) -> None:
        """Tests one target to its end."""
        whole = opened(argument, self.folder, self.progress, time=self.time, database_url=self.database_url, whole=True)
        async with whole as there, self.turns.setdefault(there.target.supabase_url, asyncio.Lock()):
            run = await self._tested(there)
            run = run.model_copy(update={"argument": argument, **Terms.of(there.target).kept()})
            self.runs[name] = clean(run, there.target)

    async def _tested(self, there: Opened) -> ConformRun:
        try:
            return await run_suite(there, self.folder, self.progress, k=self.k)
        except Trouble as trouble:
            self.troubles[there.target.name] = trouble
            return troubled_suite(self.folder, there.target.name, trouble)


async def conform(
    targets: Sequence[str],
    k: str,
    time: str,
    database_url: str,
    results: Path,
    json: str,
    junit: Path | None,
    html: Path | None,
    verbose: int,
) -> int:
    """Tests targets, stores and shows what came of it; returns the exit status: the worst of theirs."""
    names = named(targets, time=time, database_url=database_url)
    chosen: Time = "real" if time == "real" else "scaled"
    with run_folder(results, "conform") as folder, Progress(verbose) as progress:
        suites = Suites(folder, progress, k, chosen, database_url)
        try:
            await together(*(suites.test(argument, name) for name, argument in names.items()))
        except asyncio.CancelledError:
            for name in names.keys() - suites.runs.keys():
                suites.runs[name] = interrupted_suite(folder, name)
        run = side_by_side([suites.runs[name] for name in names])
        if len(names) == 1 and suites.troubles:
            (trouble,) = suites.troubles.values()
            each(
                lambda: _raise(trouble),
                lambda: folder.save(run),
                lambda: write_reports(run, html=html, junit=junit),
                lambda: write_json(run, json),
            )
        return publish(run, folder, json=json, junit=junit, html=html)


def _raise(trouble: Trouble) -> None:
    raise trouble


def named(targets: Sequence[str], *, time: str = "", database_url: str = "") -> dict[str, str]:
    """The targets of a command line by their names.

    Raises:
        Trouble: as `checked`, or two have one name.
    """
    names: dict[str, str] = {}
    for argument in targets:
        given = checked(argument, time=time, database_url=database_url)
        name = given.name if given is not None else argument
        if name in names:
            raise Trouble(f"{names[name]} and {argument} are both called {name}", "give each target a name of its own")
        names[name] = argument
    return names


def side_by_side(runs: Sequence[ConformRun]) -> ConformRun | ConformSetRun:
    """One run as it is, several as a set with the worst verdict."""
    if len(runs) == 1:
        return runs[0]
    verdict = min((run.verdict for run in runs), key=_WORST.index)
    return ConformSetRun(
        fingerprint=take_fingerprint(settings={"targets": ", ".join(run.target for run in runs)}),
        verdict=verdict,
        reason="; ".join(f"{run.target} is {run.verdict}" for run in runs),
        interrupted=any(run.interrupted for run in runs),
        conformance=tuple(runs),
    )


def clean(run: ConformRun, target: Target) -> ConformRun:
    """The run without the secrets of its target: whatever is written of it can be given away."""
    text = redact(dump_run(run).encode(), secrets_of(target)).decode()
    kept = parse_run(json.loads(text), target.name)
    assert isinstance(kept, ConformRun)  # noqa: S101 — only its words changed
    return kept
