"""Every command that README and docs/ show is run, page by page, in the order in which a reader would type them."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SAID = tomllib.loads((Path(__file__).parent / "commands.toml").read_text())
HOW: dict[str, dict[str, Any]] = {entry["line"]: entry for entry in SAID["command"]}
DEADLINE = 300.0
STAGING = "gurukul serve --engine hardened --port 54321 --write-target staging.toml"
"""What plays the reader's own deployment where a page does not start one itself."""


def fences(page: Path, language: str) -> list[str]:
    """The blocks of a language in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def lines(page: Path) -> list[str]:
    """The command lines of a page."""
    return [line for block in fences(page, "sh") for line in block.splitlines()]


SHOWN = {page: lines(page) for page in PAGES}


@pytest.mark.parametrize("page", [page for page, shown in SHOWN.items() if shown], ids=lambda page: page.stem)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    """Each ends with the status that a reader should see; a server that a page starts serves the rest of it."""
    (tmp_path / "locustfiles").symlink_to(ROOT / "locustfiles")
    for file in SAID["file"]:
        if file["page"] == page.name:
            (tmp_path / file["path"]).parent.mkdir()
            (tmp_path / file["path"]).write_text(fences(page, file["fence"])[0])
    here = [line for line in SHOWN[page] if "elsewhere" not in HOW.get(line, {})]
    with ExitStack() as stack:
        starts = any("beside" in HOW.get(line, {}) for line in here)
        if not starts and any("staging.toml" in line for line in here):
            stack.enter_context(serving(STAGING, "staging.toml", tmp_path))
        for line in here:
            how = HOW.get(line, {})
            if "beside" in how:
                stack.enter_context(serving(f"{line} {how.get('adds', '')}", how["beside"], tmp_path))
            else:
                run(line, how, tmp_path)


def test_no_command_is_shown_as_something_else() -> None:
    """Commands stand in `sh` blocks, where they are found; one in a block of another shell would never be run."""
    assert [page.name for page in PAGES for shell in ("bash", "shell", "console") if fences(page, shell)] == []


def test_what_is_said_of_commands_is_said_of_commands_that_are_shown() -> None:
    """No entry of commands.toml outlives its command."""
    shown = {line for found in SHOWN.values() for line in found}
    assert HOW.keys() - shown == set()


@pytest.mark.parametrize("line", [line for line, how in HOW.items() if "elsewhere" in how])
def test_what_runs_elsewhere_does(line: str) -> None:
    """CI runs it by itself, or by a verb of make that it runs."""
    said = (ROOT / ".ci" / "run").read_text()
    recipes = re.findall(r"^([a-z-]+):.*?## .*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    said += "".join(recipe for verb, recipe in recipes if f"make {verb}\n" in said)
    assert HOW[line]["elsewhere"] in said


def run(line: str, how: dict[str, Any], folder: Path) -> None:
    """Runs a line to its end."""
    command = f"{filled(line, folder)} {how.get('adds', '')}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    right = how.get("exit", [0])
    said = f"{command}\nends with {done.returncode} instead of {right}:\n{done.stdout[-3000:]}"
    assert done.returncode in right, said


@contextmanager
def serving(line: str, target: str, folder: Path) -> Iterator[None]:
    """Serves from when the target file is written to the end of the block, at a free port."""
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line} --port 0"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            ready = any(said.startswith("target file") for said in process.stdout)
            assert ready, (folder / "serve.log").read_text()
            named(folder / target)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def named(target: Path) -> None:
    """The target gets the name of its file, as a reader's own would have."""
    target.write_text(target.read_text().replace('name = "hardened"', f'name = "{target.stem}"'))


def filled(line: str, folder: Path) -> str:
    """The line with the newest run of that kind in the place of the one that the page shows."""

    def newest(match: re.Match[str]) -> str:
        found = sorted((folder / "results").glob(f"*-{match.group(1)}-*"))
        assert found, f"no {match.group(1)} was run before: {line}"
        return shlex.quote(str(found[-1].relative_to(folder)))

    return re.sub(r"results/2026010[12]T120000Z-([a-z]+)-(?:0a1b2c|4d5e6f)", newest, line)


def environment() -> dict[str, str]:
    """The commands of this Python come first."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
