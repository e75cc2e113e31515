"""The frame: what the documents promise is there, and what they show can be run."""

import ast
import importlib
import pkgutil
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli.main import app, main
from harness.target import parse_target

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("harness", "reference_server", "conformance", "locustfiles")


def fences(page: Path, language: str) -> list[str]:
    """The snippets of a language in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line that the pages show."""
    for page in PAGES:
        for snippet in fences(page, "sh"):
            for line in snippet.splitlines():
                yield f"{page.name}: {line}", shlex.split(line)


COMMANDS = dict(commands())


def driver_contract() -> dict:
    """The contract of import-linter that names who must not import asyncpg."""
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    return next(contract for contract in contracts if contract.get("forbidden_modules") == ["asyncpg"])


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_command_in_the_pages_exists(words: list[str], capsys: pytest.CaptureFixture):
    """A verb of make is in the Makefile, a verb of gurukul takes the options shown, a locustfile and a path exist."""
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "gurukul":
        assert main([words[1], "--help"]) == 0
        shown = capsys.readouterr().out
        options = [word for word in words if word.startswith("-")]
        assert [option for option in options if option not in shown] == []
    elif words[0] == "locust":
        assert words[1] == "-f"
        assert (ROOT / words[2]).is_file()
    elif words[0] == "export":
        assert words[1] == "PATH=$PWD/.venv/bin:$PATH"
    else:
        assert words[:3] == ["pytest", "--pyargs", "conformance"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_in_the_pages_leads_somewhere(page: Path):
    """A relative link names a file that is there."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_in_the_pages_exists(page: Path):
    """A path in backquotes that starts with a folder of ours is there."""
    paths = re.findall(
        r"`((?:harness|reference_server|conformance|locustfiles|tests|docs)/[\w./-]*)`", page.read_text()
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_page_is_in_the_site():
    """docs/index.md lists each page under one of its headings."""
    trees = re.findall(r"^```{toctree}\n(.*?)^```", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE | re.DOTALL)
    listed = [line for tree in trees for line in tree.splitlines() if line and line[0] != ":"]
    pages = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in PAGES if ROOT / "docs" in path.parents
    }
    assert sorted(listed) == sorted(pages - {"index"})


def test_the_target_file_in_the_readme_is_one():
    """It is read as it stands."""
    (text,) = fences(ROOT / "README.md", "toml")
    assert parse_target(text, "README.md").name == "staging"


def test_the_readme_names_every_verb():
    """Nobody has to guess what there is."""
    verbs = {command.callback.__name__ for command in app.registered_commands}
    shown = {words[1] for words in COMMANDS.values() if words[0] == "gurukul"}
    assert verbs == shown


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_can_be_imported_and_says_what_it_is_for(package: str):
    """No module is broken, and each opens with a sentence; those that patch the process are only read."""
    root = importlib.import_module(package)
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if found.name.rpartition(".")[2] == "__main__" or found.name.startswith(("locustfiles.", "harness.load.")):
            continue
        importlib.import_module(found.name)
    for path in (ROOT / package).rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed_and_in_the_wheel(package: str):
    """`py.typed` is there, and the wheel takes the package."""
    assert (ROOT / package / "py.typed").is_file()
    assert package in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_only_one_module_of_the_lab_may_import_the_database_driver():
    """The contract of import-linter names every other module of the lab."""
    contract = driver_contract()
    modules = {f"harness.lab.{path.stem}" for path in (ROOT / "harness" / "lab").glob("*.py")}
    named = {name for name in contract["source_modules"] if name.startswith("harness.lab.")}
    assert modules - {"harness.lab.__init__", "harness.lab.database"} == named


def test_every_package_of_the_server_but_one_is_kept_from_the_database_driver():
    """A new package of the server has to be entered."""
    contract = driver_contract()
    folders = {f"reference_server.{path.parent.name}" for path in (ROOT / "reference_server").glob("*/__init__.py")}
    assert folders - {"reference_server.db"} <= set(contract["source_modules"])


def test_the_lock_holds_versions_alone():
    """No address of an index, no path of a machine, and every direct dependency is in it."""
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and line[0] != "#"]
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==[\w.!+-]+", line)] == []
    locked = {line.partition("==")[0] for line in lines}
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    wanted = {re.split(r"[\[><=; ]", entry)[0].lower() for group in groups for entry in group} - {"gurukul-harness"}
    assert wanted - locked == set()


def test_the_changelog_speaks_of_this_version():
    """The version of the package has its section."""
    assert f"## [{PROJECT['project']['version']}]" in (ROOT / "CHANGELOG.md").read_text()
