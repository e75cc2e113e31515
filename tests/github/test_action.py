"""The action and the workflow have the form that GitHub reads, and every command in them exists."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from jsonschema import Draft202012Validator

from harness.cli.main import app

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
WORKFLOW = ROOT / ".github" / "workflows" / "gurukul.yml"

TEXT = {"type": "string"}
STEP: dict[str, Any] = {
    "type": "object", "oneOf": [{"required": ["run"]}, {"required": ["uses"]}], "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]*$"}, "name": TEXT, "if": TEXT, "run": TEXT,
        "shell": {"enum": ["bash"]}, "uses": {"type": "string", "pattern": r"^(\./|[\w.-]+/[\w.-]+@v\d+$)"},
        "with": {"type": "object", "additionalProperties": TEXT},
        "env": {"type": "object", "additionalProperties": TEXT},
    },
    "dependentRequired": {"run": ["shell"], "with": ["uses"]},
}  # fmt: skip
"""A step, by docs.github.com: "Metadata syntax" (`runs.steps`) and "Workflow syntax" (`jobs.<job_id>.steps`)."""
ACTION_SCHEMA: dict[str, Any] = {
    "type": "object", "required": ["name", "description", "runs"], "additionalProperties": False,
    "properties": {
        "name": TEXT, "description": TEXT, "author": TEXT,
        "inputs": {"type": "object", "additionalProperties": {
            "type": "object", "required": ["description"], "additionalProperties": False,
            "properties": {"description": TEXT, "default": TEXT, "required": {"type": "boolean"}},
        }},
        "outputs": {"type": "object", "additionalProperties": {
            "type": "object", "required": ["description", "value"], "additionalProperties": False,
            "properties": {"description": TEXT, "value": TEXT},
        }},
        "runs": {
            "type": "object", "required": ["using", "steps"], "additionalProperties": False,
            "properties": {"using": {"const": "composite"}, "steps": {"type": "array", "minItems": 1, "items": STEP}},
        },
    },
}  # fmt: skip
"""A composite action, by docs.github.com: "Metadata syntax for GitHub Actions"."""
PERMISSIONS: dict[str, Any] = {
    "type": "object", "additionalProperties": False,
    "properties": {name: {"enum": ["read", "write", "none"]} for name in ("contents", "pull-requests", "actions")},
}  # fmt: skip
WORKFLOW_SCHEMA: dict[str, Any] = {
    "type": "object", "required": ["on", "jobs"], "additionalProperties": False,
    "properties": {
        "name": TEXT,
        "on": {"type": "object", "propertyNames": {"enum": ["pull_request", "push", "workflow_dispatch", "schedule"]}},
        "permissions": PERMISSIONS,
        "concurrency": {"type": "object", "required": ["group"]},
        "jobs": {"type": "object", "minProperties": 1, "additionalProperties": {
            "type": "object", "required": ["runs-on", "steps"], "additionalProperties": False,
            "properties": {
                "runs-on": TEXT, "timeout-minutes": {"type": "integer", "minimum": 1}, "permissions": PERMISSIONS,
                "needs": TEXT, "if": TEXT, "steps": {"type": "array", "minItems": 1, "items": STEP},
            },
        }},
    },
}  # fmt: skip
"""A workflow, by docs.github.com: "Workflow syntax for GitHub Actions"; what is not used here is left out."""


class _Loader(yaml.SafeLoader):
    """YAML as GitHub reads it: `on` is a word, and no truth value (YAML 1.2)."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def read(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), _Loader)


ACTION_STEPS = read(ACTION)["runs"]["steps"]
JOBS = read(WORKFLOW)["jobs"]
STEPS = [*ACTION_STEPS, *(step for job in JOBS.values() for step in job["steps"])]
SCRIPTS = [step["run"] for step in STEPS if "run" in step]


@pytest.mark.parametrize(("path", "schema"), [(ACTION, ACTION_SCHEMA), (WORKFLOW, WORKFLOW_SCHEMA)])
def test_the_form(path: Path, schema: dict[str, Any]) -> None:
    """Only keys that there are, with values that they take."""
    Draft202012Validator(schema).validate(read(path))


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_each_script_is_bash_without_expressions(script: str) -> None:
    """Inputs come by the environment: text in `${{ }}` would be run as a program."""
    assert "${{" not in script
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def commands() -> list[list[str]]:
    """The words of every `gurukul` command."""
    joined = "\n".join(SCRIPTS).replace("\\\n", " ")
    found = re.findall(r"^\s*gurukul (.*)$", joined, re.MULTILINE)
    return [shlex.split(re.split(r" \|\| | 2?>+ ", line)[0]) for line in found]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_each_command_exists_with_its_options(words: list[str]) -> None:
    """The verb is one of ours, and so is every option."""
    group = typer.main.get_command(app)
    verb = group.commands[words[0]]  # type: ignore[attr-defined]
    known = {option for parameter in verb.params for option in parameter.opts}
    assert {word for word in words[1:] if word.startswith("-")} <= known


def test_the_commands_are_found() -> None:
    """Nothing above is vacuous."""
    assert {words[0] for words in commands()} == {"conform", "swarm", "compare", "export"}


def test_the_workflow_gives_the_action_what_it_takes() -> None:
    """Inputs and outputs that are named are there."""
    action = read(ACTION)
    (used,) = (step for job in JOBS.values() for step in job["steps"] if step.get("uses") == "./")
    assert used["with"].keys() <= action["inputs"].keys()
    text = WORKFLOW.read_text() + ACTION.read_text()
    assert set(re.findall(r"steps\.gurukul\.outputs\.([\w-]+)", text)) <= action["outputs"].keys()
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == action["inputs"].keys()
    ids = {step["id"] for step in STEPS if "id" in step}
    assert set(re.findall(r"steps\.([\w-]+)\.", text)) <= ids


def test_variables_of_a_step_are_given_to_it() -> None:
    """Each variable that a script reads is of its environment, of the runner, or its own."""
    runner = {
        "GITHUB_WORKSPACE",
        "GITHUB_ACTION_PATH",
        "GITHUB_OUTPUT",
        "GITHUB_PATH",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_SHA",
        "RUNNER_TEMP",
    }
    for step in STEPS:
        script = step.get("run", "")
        read_ = set(re.findall(r"\$\{?([A-Za-z_]+)", script))
        own = set(re.findall(r"^\s*(?:.*; do |for )?([a-z_]+)=", script, re.MULTILINE))
        own |= set(re.findall(r"for ([a-z]+) in", script))
        own |= set(re.findall(r"then ([a-z]+)=", script))
        assert read_ <= runner | own | step.get("env", {}).keys(), step.get("name")


def script(name: str) -> dict[str, Any]:
    return next(step for step in ACTION_STEPS if step.get("name") == name)


def test_the_action_does_what_it_says(tmp_path: Path) -> None:
    """Its scripts, run in their order with its own defaults, but few users: pages, exports, a comparison, a verdict."""
    folder = tmp_path / "folder"
    folder.mkdir()
    defaults = {name: given["default"] for name, given in read(ACTION)["inputs"].items()}
    given = defaults | {"users": "60", "requirements": "MM-S1", "base": str(folder / "swarm.json")}
    for name in ("Conformance", "Swarm", "Comparison", "Verdict"):
        done = run(script(name), given, folder, tmp_path)
    assert done.returncode == 0, done.stdout + (tmp_path / "summary").read_text()
    assert "status=0" in (tmp_path / "output").read_text()
    made = {path.name for path in folder.iterdir()}
    assert made >= {
        "conform.json", "conform.xml", "conform.html", "swarm.json", "swarm.html", "badge.json", "bencher.json",
        "metrics.txt", "smaller.json", "bigger.json", "comparison.json", "comparison.md", "summary.md",
    }  # fmt: skip
    said = (tmp_path / "summary").read_text()
    assert "### gurukul conform: partial" in said
    assert "### gurukul swarm: valid" in said
    assert "**no difference**" in said


@pytest.mark.parametrize(
    ("statuses", "status"), [("0\n0", 0), ("0\n2", 2), ("3\n0", 3), ("2\n3\n1", 1), ("2\n3", 3), ("", 0)]
)
def test_the_worst_status_is_the_jobs(statuses: str, status: int, tmp_path: Path) -> None:
    """Invalid before our own trouble before unknown before valid."""
    (tmp_path / "statuses").write_text(statuses)
    assert run(script("Verdict"), {}, tmp_path, tmp_path).returncode == status


def run(step: dict[str, Any], given: dict[str, str], folder: Path, place: Path) -> subprocess.CompletedProcess[str]:
    """Runs a script as a runner does."""
    env = {name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: given.get(m[1], ""), text)
           for name, text in step["env"].items()}  # fmt: skip
    env |= {"FOLDER": str(folder), "PULL_REQUEST": "", "GITHUB_WORKSPACE": str(place)}
    env |= {"GITHUB_OUTPUT": str(place / "output"), "GITHUB_STEP_SUMMARY": str(place / "summary")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=place,
        env=os.environ | env | {"PATH": path}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=240, check=False,
    )  # fmt: skip
