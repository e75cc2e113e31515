"""`gurukul claims`: every figure of the design document, measured on both engines and judged, one by one."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.cli.claims.catalogue import CLAIMS
from harness.cli.claims.claim import NOTHING, AnyClaim, Experiment, Place
from harness.cli.claims.verdicts import untestable
from harness.cli.folder import run_folder
from harness.cli.output import each, exit_status, publish, show
from harness.cli.progress import Progress
from harness.cli.running import Exit, say
from harness.cli.targets import BUILT_IN
from harness.errors import Trouble
from harness.lab.deployment import running_cluster
from harness.report.claims import claims_markdown
from harness.results.claims import ClaimMeasured, ClaimRow
from harness.results.finding import Verdict
from harness.results.fingerprint import take_fingerprint
from harness.results.run import ClaimsRun
from harness.results.store import RunFolder, load_run, write_text


@dataclass
class Facts:
    """What the experiments brought, by their name and the engine; and which of them came to nothing, and why."""

    found: dict[tuple[str, str], Any] = field(default_factory=dict)
    troubles: dict[tuple[str, str], str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """Which of the troubles nobody foresaw: faults of our own."""


async def claims(
    only: Sequence[str], *, quick: bool, seed: int, database_url: str, results: Path,
    json: str, html: Path | None, markdown: Path | None, verbose: int,
) -> int:  # fmt: skip
    """Makes the experiments, judges the claims, stores and shows them; returns the exit status.

    A fault of our own in one experiment leaves what the others brought, and is trouble all the same.

    Raises:
        Trouble: a claim that there is not, or an unfit database.
    """
    chosen = chosen_of(only)
    fingerprint = take_fingerprint(seed=seed, settings={"quick": quick, "only": list(only)})
    facts = Facts()
    interrupted = False
    with run_folder(results, "claims") as folder:
        try:
            with Progress(verbose) as progress:
                progress.note(f"seed {seed}, run {folder.path}")
                async with running_cluster(database_url, folder.logs / "postgres.log") as cluster:
                    places = [Place(engine, cluster, folder, progress, quick, seed) for engine in BUILT_IN]
                    await measure(_experiments(chosen), places, facts)
        except asyncio.CancelledError:
            interrupted = True
        run = concluded(chosen, facts, interrupted=interrupted).model_copy(update={"fingerprint": fingerprint})
        for fault in facts.faults:
            say(f"error: {fault}")
        status = _published(run, folder, json, html, markdown)
    return Exit.TROUBLE if facts.faults else status


def again(stored: Path, *, json: str, html: Path | None, markdown: Path | None) -> int:
    """Shows a stored run of claims, and writes what is asked for. Raises Trouble when it is another run."""
    run = load_run(stored)
    if not isinstance(run, ClaimsRun):
        raise Trouble(f"{stored} is a run of {run.kind}", "name a run of gurukul claims")
    _write_markdown(run, markdown)
    show(run, json=json, html=html)
    return Exit.VALID


def chosen_of(only: Sequence[str]) -> tuple[AnyClaim, ...]:
    """The claims of these ids; all where none is named. Raises Trouble for one that there is not."""
    known = {claim.id: claim for claim in CLAIMS}
    for name in only:
        if name not in known:
            raise Trouble(f"there is no claim {name!r}", f"choose of {', '.join(known)}")
    return tuple(claim for claim in CLAIMS if not only or claim.id in only)


def _experiments(chosen: Iterable[AnyClaim]) -> list[Experiment[Any]]:
    """Each once, those that measure the machine last, so that nothing of the others is left beside them."""
    once = {claim.experiment.name: claim.experiment for claim in chosen if claim.experiment is not NOTHING}
    return sorted(once.values(), key=lambda experiment: experiment.alone)


async def measure(experiments: Iterable[Experiment[Any]], places: Sequence[Place], facts: Facts) -> None:
    """Makes each experiment on each engine; the engines side by side where the machine itself is not measured."""
    for experiment in experiments:
        if experiment.alone:
            for place in places:
                await _make(experiment, place, facts)
        else:
            async with asyncio.TaskGroup() as group:
                for place in places:
                    group.create_task(_make(experiment, place, facts))


async def _make(experiment: Experiment[Any], place: Place, facts: Facts) -> None:
    key = (experiment.name, place.engine)
    with place.progress.stage(f"{place.engine}: {experiment.name}", "at work") as stage:
        try:
            facts.found[key] = await experiment.measure(place)
            stage.result("done")
        except Trouble as trouble:
            facts.troubles[key] = str(trouble)
            stage.result(f"not made: {trouble}")
        except Exception as error:  # noqa: BLE001 — one experiment's fault must not cost what the others measured
            facts.troubles[key] = f"a fault of our own ({type(error).__name__})"
            log = place.folder.logs / f"fault-{place.engine}-{experiment.name.replace(' ', '-')}.log"
            write_text(log, "".join(traceback.format_exception(error)))
            facts.faults.append(f"{place.engine}: {experiment.name}: {type(error).__name__}: please report {log}")
            stage.result("not made: a fault of our own")


def concluded(chosen: Sequence[AnyClaim], facts: Facts, *, interrupted: bool = False) -> ClaimsRun:
    """Judges the claims. Valid where every experiment could be made, whatever became of the claims."""
    failed = [f"{engine}: {name}: {why}" for (name, engine), why in facts.troubles.items()]
    verdict, reason = Verdict.VALID, _counted(rows := [row_of(claim, facts) for claim in chosen])
    if failed or interrupted:
        verdict = Verdict.UNKNOWN
        reason = (
            "the run was interrupted" if interrupted else "not every experiment could be made: " + "; ".join(failed)
        )
    return ClaimsRun(
        fingerprint=take_fingerprint(), verdict=verdict, reason=reason, interrupted=interrupted, claims=tuple(rows)
    )


def row_of(claim: AnyClaim, facts: Facts) -> ClaimRow:
    """One claim on both engines; its verdict is that of the engine that it is about."""
    seen: Mapping[str, ClaimMeasured] = {engine: _judged(claim, engine, facts) for engine in BUILT_IN}
    return ClaimRow(
        id=claim.id, section=claim.section, claim=claim.quote, how=claim.how, documented=seen["documented"],
        hardened=seen["hardened"], verdict=seen[claim.of].verdict, note=claim.note,
    )  # fmt: skip


def _judged(claim: AnyClaim, engine: str, facts: Facts) -> ClaimMeasured:
    if claim.experiment is NOTHING:
        return claim.rule(None)
    key = (claim.experiment.name, engine)
    if key not in facts.found:
        return untestable(facts.troubles.get(key, "the experiment was not made"))
    return claim.rule(facts.found[key])


def _counted(rows: Sequence[ClaimRow]) -> str:
    verdicts = [row.verdict for row in rows]
    held, broken = verdicts.count("holds"), verdicts.count("broken")
    return f"of {len(rows)} claims {held} hold, {broken} are broken, {len(rows) - held - broken} cannot be tested here"


def _published(run: ClaimsRun, folder: RunFolder, json: str, html: Path | None, markdown: Path | None) -> int:
    each(lambda: _write_markdown(run, markdown), lambda: publish(run, folder, json=json, html=html))
    return exit_status(run)


def _write_markdown(run: ClaimsRun, markdown: Path | None) -> None:
    if markdown is not None:
        write_text(markdown, claims_markdown(run))
