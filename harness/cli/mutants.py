"""`gurukul mutants`: the kill matrix, that is, the suite against servers that are wrong in one way each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.cli.folder import run_folder
from harness.cli.output import each
from harness.cli.progress import Progress
from harness.cli.running import Exit, say
from harness.cli.streams import put, show
from harness.errors import Trouble
from harness.lab.crash import crashable
from harness.lab.deployment import running_cluster
from harness.lab.mutants import Mutant, built_in_folder, chosen, mutant_deployment, mutants_in
from harness.lab.postgres import Cluster
from harness.lab.program import run_module
from harness.results.fingerprint import take_fingerprint
from harness.results.matrix import LegalRow, Matrix, MutantRow, Row, dump_matrix
from harness.results.run import ConformRun, Status
from harness.results.store import RunFolder, load_run, write_text
from harness.target import dump_target


@dataclass
class Bench:
    """What every mutant of one command shares."""

    cluster: Cluster
    folder: RunFolder
    progress: Progress
    full: bool
    trials: int
    """Of a racing mutant; any other is tried once."""
    places: asyncio.Semaphore
    rows: dict[str, Row] = field(default_factory=dict)


async def mutants(
    source: Path | None, k: str, *, full: bool, trials: int, jobs: int, database_url: str,
    results: Path, json: str, html: Path | None, verbose: int,
) -> int:  # fmt: skip
    """Tests the suite on each mutant; stores and shows the matrix; returns the exit status."""
    found = mutants_in(source or built_in_folder())
    selected = chosen(found, k) if k else found
    with run_folder(results, "mutants") as folder:
        rows: dict[str, Row] = {}
        interrupted = False
        try:
            with Progress(verbose) as progress:
                async with running_cluster(database_url, folder.logs / "postgres.log") as cluster:
                    bench = Bench(cluster, folder, progress, full, trials, asyncio.Semaphore(jobs), rows)
                    await _test_all(selected, bench)
        except asyncio.CancelledError:
            interrupted = True
        matrix = matrix_of(selected, rows, interrupted=interrupted)
        _publish(matrix, folder, json, html)
        return exit_status(matrix)


def matrix_of(selected: Sequence[Mutant], rows: dict[str, Row], *, interrupted: bool) -> Matrix:
    """The matrix of those that were tested, in the order in which they were chosen."""
    done = [rows[mutant.id] for mutant in selected if mutant.id in rows]
    return Matrix(
        fingerprint=take_fingerprint(settings={"time": "scaled"}),
        interrupted=interrupted,
        mutants=tuple(row for row in done if isinstance(row, MutantRow)),
        legal=tuple(row for row in done if isinstance(row, LegalRow)),
    )


def exit_status(matrix: Matrix) -> int:
    """0 all killed and all lawful ones green; 1 a survivor, or a lawful one red; 2 cut short; 3 one did not start."""
    if matrix.survivors or matrix.wronged:
        return Exit.INVALID
    if matrix.troubled:
        return Exit.TROUBLE
    return Exit.UNKNOWN if matrix.interrupted else Exit.VALID


async def _test_all(selected: Sequence[Mutant], bench: Bench) -> None:
    """The lawful ones first: they take longest."""
    ordered = sorted(selected, key=lambda mutant: not mutant.legal)
    async with asyncio.TaskGroup() as group:
        for mutant in ordered:
            group.create_task(_test(mutant, bench))


async def _test(mutant: Mutant, bench: Bench) -> None:
    async with bench.places:
        started = time.monotonic()
        trouble = ""
        times = bench.trials if mutant.racing else 1
        trials: list[dict[str, Status]] = []
        try:
            log = bench.folder.logs / f"server-{mutant.id}.log"
            async with mutant_deployment(mutant, bench.cluster, log) as deployed, crashable(deployed) as there:
                file = bench.folder.path / f"target-{mutant.id}.toml"
                write_text(file, dump_target(there.target))
                trials = [await _trial(mutant, file, number, bench) for number in range(times)]
        except Trouble as error:
            trouble = str(error)
        row = _row(mutant, trials, time.monotonic() - started, trouble)
        bench.rows[mutant.id] = row
        bench.progress.note(f"{row.id}  {row.verdict}  {row.seconds:.1f} s  {row.title}")


def _row(mutant: Mutant, trials: list[dict[str, Status]], seconds: float, trouble: str) -> MutantRow | LegalRow:
    if mutant.legal:
        return LegalRow(id=mutant.id, title=mutant.title, trials=tuple(trials), seconds=seconds, trouble=trouble)
    return MutantRow(
        id=mutant.id, title=mutant.title, trials=tuple(trials), seconds=seconds, trouble=trouble,
        names=mutant.names, racing=mutant.racing,
    )  # fmt: skip


async def _trial(mutant: Mutant, target: Path, number: int, bench: Bench) -> dict[str, Status]:
    """One run of the suite, on what the mutant names or on everything: the status of each requirement tested."""
    folder = bench.folder
    name = f"{mutant.id}-{number + 1}"
    results = folder.path / f"conform-{name}.json"
    arguments = ["--target", str(target), "--results", str(results), "--history", str(folder.path / "conform" / name)]
    if not (bench.full or mutant.legal):
        arguments += ["-k", " or ".join(mutant.names)]
    heard = [""]

    def hear(line: str) -> None:
        heard.append(line)
        bench.progress.detail(f"{name}  {line}")

    _, why = await run_module("conformance", arguments, folder.logs / f"conform-{name}.log", hear)
    if not results.exists():
        raise Trouble(why.removeprefix("error: ") or f"the suite wrote no results: see {folder.logs}")
    run = load_run(results)
    if not isinstance(run, ConformRun):
        raise Trouble(f"{results} is not of the conformance suite")
    asked = {result.id for result in run.requirements if bench.full or mutant.legal or result.id in mutant.names}
    return {result.id: result.status for result in run.requirements if result.id in asked}


def _publish(matrix: Matrix, folder: RunFolder, json: str, html: Path | None) -> None:
    text = dump_matrix(matrix)
    each(
        lambda: write_text(folder.path / "mutants.json", text),
        *([partial(_write_page, matrix, html)] if html is not None else []),
        lambda: _show(matrix, to_stderr=json == "-"),
        lambda: _write_json(text, json),
        lambda: say(f"run: {folder.path}"),
    )


def _write_json(text: str, json: str) -> None:
    if json == "-":
        put(text)
    elif json:
        write_text(Path(json), text)


def _write_page(matrix: Matrix, path: Path) -> None:
    from harness.report.matrix import matrix_page

    write_text(path, matrix_page(matrix))


def _show(matrix: Matrix, *, to_stderr: bool) -> None:
    from harness.report.matrix import matrix_tables

    show(*matrix_tables(matrix), matrix.sentence, *matrix.complaints, to_stderr=to_stderr)
