"""`gurukul compare` as a program: its tables, its files, its exit statuses, and what it says of runs it cannot take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.results.finding import Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import SwarmRun, TargetFigures, dump_run

PRINT = Fingerprint(created="2026-01-01T00:00:00+00:00", seed=3)


@pytest.fixture
def stored(tmp_path: Path):
    """A way to store a run of so many answer times, by name."""

    def store(name: str, milliseconds: float, **more: object) -> str:
        samples = {"join_ms": tuple(milliseconds + n % 5 for n in range(200))}
        target = TargetFigures(name="hardened", verdict=Verdict.VALID, joins=200, samples=samples)
        run = SwarmRun(fingerprint=PRINT, verdict=Verdict.VALID, scenario="x", targets=(target,))
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(dump_run(run.model_copy(update=more)))
        return str(tmp_path / name)

    return store


def test_no_difference(stored, capsys: pytest.CaptureFixture[str]) -> None:
    """A run beside itself: exit 0, and the table says so."""
    one = stored("one", 5.0)
    assert main(["compare", one, one, "--fail-on", "worse"]) == 0
    said = capsys.readouterr().out
    assert "join_ms.p50" in said
    assert "verdict  no difference: none of 4 figures differs" in said


def test_worse(stored, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Worse is told, and fails where it was asked to; JSON and Markdown hold the same."""
    base, new, out, text = stored("base", 5.0), stored("new", 10.0), tmp_path / "c.json", tmp_path / "c.md"
    assert main(["compare", base, new]) == 0
    assert main(["compare", base, new, "--fail-on", "worse", "--json", str(out), "--markdown", str(text)]) == 1
    assert "worse: hardened: join_ms.p5, hardened: join_ms.p50" in " ".join(capsys.readouterr().out.split())
    said = json.loads(out.read_text())
    assert (said["schema"], said["verdict"]) == ("gurukul.compare/1", "worse")
    assert text.read_text().startswith("**worse**")
    assert "| hardened | join_ms.p50 | 7 | 12 | +5 (+5 to +5; beyond ±2) | worse |" in text.read_text()


def test_json_on_standard_output(stored, capsys: pytest.CaptureFixture[str]) -> None:
    """Then the table goes to standard error."""
    one = stored("one", 5.0)
    assert main(["compare", one, one, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["verdict"] == "no difference"
    assert "join_ms.p50" in err


def test_runs_that_must_not_be_compared(stored, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3 with the reason; the field can be left aside."""
    base = stored("base", 5.0)
    new = stored("new", 5.0, fingerprint=PRINT.model_copy(update={"cpu": "slow"}))
    assert main(["compare", base, new]) == 3
    assert "cannot be compared: the fingerprint's cpu is unknown in base and slow in new" in capsys.readouterr().err
    assert main(["compare", base, new, "--ignore", "cpu"]) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"schema": "gurukul.run/2", "kind": "swa', "is not JSON"),
        ('{"schema": "gurukul.run/99"}', "has the format gurukul.run/99, and this version reads gurukul.run/1 to"),
        ('{"schema": "gurukul.mutants/1"}', "it says that it is gurukul.mutants/1"),
        ('{"schema": "gurukul.run/2", "kind": "swarm"}', "it is damaged"),
    ],
)
@pytest.mark.parametrize("verb", [["compare"], ["report"]], ids=["compare", "report"])
def test_what_is_no_run(stored, tmp_path: Path, capsys, verb: list[str], text: str, says: str) -> None:
    """Cut short, newer, of another schema, or damaged: one line, and exit 3."""
    (tmp_path / "bad.json").write_text(text)
    runs = [stored("one", 5.0)] * (len(verb) == 1 and verb[0] == "compare") + [str(tmp_path / "bad.json")]
    assert main([*verb, *runs]) == 3
    err = capsys.readouterr().err
    assert says in err
    assert len(err.splitlines()) == 1


def test_an_option_that_names_nothing(stored, capsys: pytest.CaptureFixture[str]) -> None:
    """The names that there are stand in the error."""
    one = stored("one", 5.0)
    assert main(["compare", one, one, "--ignore", "weather"]) == 3
    assert "settings, seed, cpu, cpus, memory, kernel, versions" in capsys.readouterr().err
    assert main(["compare", one, one, "--fail-on", "rain"]) == 3
