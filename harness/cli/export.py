"""`gurukul export`: stored runs in the formats of those who keep and plot figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.cli.running import Exit, say
from harness.cli.streams import put
from harness.errors import Trouble
from harness.report.junit import junit_report
from harness.results.exporters import FORMATS, figures_to_export, github_benchmark
from harness.results.store import StoredRun, load_run, write_text

FORMAT_NAMES = ("github-benchmark", *FORMATS, "junit")


def export(paths: Sequence[Path], to: str, better: str, output: str) -> int:
    """Writes stored runs in another format, to a file or to standard output (`-`); returns the exit status.

    Raises:
        Trouble: a run cannot be read or has no figures, there is no such format, or it takes one run alone.
    """
    if to not in FORMAT_NAMES:
        raise Trouble(f"there is no format {to}", f"choose one of {', '.join(FORMAT_NAMES)}")
    if len(paths) > 1 and to != "otava":
        raise Trouble(f"{to} takes one run, and {len(paths)} are named", "name the last one; a history is for otava")
    runs = [load_run(path) for path in paths]
    if to != "junit" and not any(figures_to_export(run) for run in runs):
        raise Trouble(f"there are no figures in {paths[-1]}", "export a run of bench, swarm, peers or conform")
    text = _text(runs, to, better)
    if output in {"", "-"}:
        put(text)
    else:
        write_text(Path(output), text)
        say(f"{to}: {output}")
    return Exit.VALID


def _text(runs: Sequence[StoredRun], to: str, better: str) -> str:
    if to == "junit":
        return junit_report(runs[-1])
    if to != "github-benchmark":
        return FORMATS[to](runs)
    if better == "smaller":
        return github_benchmark(runs, "smaller")
    if better == "bigger":
        return github_benchmark(runs, "bigger")
    raise Trouble(f"--better {better}: figures are better when they are smaller or bigger", "choose one of the two")
