"""Bad input and trouble: one line that says what is wrong and what to do, exit 3, nothing left running."""

import socket
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from harness.lab.database import database_in
from harness.lab.postgres import Cluster
from harness.load.swarm import scenarios

TargetFile = Callable[..., Path]
GOOD = "[target]\nname = 'x'\napi_url = 'http://h'\nsupabase_url = 'http://h'\n"
DRIVERS = (("conform",), ("peers",), ("swarm", "search_and_chat"))


@pytest.mark.parametrize("verb", DRIVERS, ids=" ".join)
def test_an_unknown_target(gurukul, verb: tuple[str, ...]):
    """A name that is neither built in nor a file; no folder of a run is made for it."""
    said = gurukul(*verb, "nonsense").trouble
    assert said == "there is no target file nonsense: name a built-in target (documented, hardened) or a file"
    assert gurukul.runs() == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("target", "is not valid TOML"),
        ("[other]\n", "has an unknown section [other]: use [target]"),
        ("", "has no [target] section: add one"),
        ('[target]\nname = "x"\napi_url = "nowhere"\nsupabase_url = "http://h"\nanon_key = "k"', "api_url: must be an"),
        ("\udcff", "cannot be read"),
        (f"{GOOD}anon_kei = 'k'", "[target] has no anon_key: add it"),
        (f"{GOOD}anon_key = 'k'\ncolour = 1", "there is no colour in [target]: it has name, api_url, "),
        (f"{GOOD}anon_key = 'k'\n[budgets]\nmach = 1", "there is no mach in [budgets]: did you mean match?"),
        (f"{GOOD}anon_key = 'k'\n[budgets]\nmatch = 0", "budgets.match: Input should be greater than 0"),
    ],
    ids=["not-toml", "section", "empty", "url", "not-utf-8", "missing", "unknown", "misspelt", "value"],
)
def test_a_malformed_target_file(gurukul, tmp_path: Path, text: str, says: str):
    """The line names the file and the place in it."""
    path = tmp_path / "bad.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    said = gurukul("conform", str(path)).trouble
    assert str(path) in said
    assert says in said


def test_an_unreadable_target_file(gurukul, tmp_path: Path):
    """What cannot be opened as a file is said so."""
    assert f"the target file {tmp_path} cannot be read" in gurukul("conform", str(tmp_path)).trouble


def test_an_unknown_scenario(gurukul):
    """The line names those that there are, before anything is started."""
    said = gurukul("swarm", "nonsense", "hardened").trouble
    assert said == f"there is no scenario nonsense: choose one of {', '.join(scenarios())}"


@pytest.mark.parametrize("verb", DRIVERS, ids=" ".join)
def test_an_unreachable_target(gurukul, verb: tuple[str, ...], target_file: TargetFile):
    """The line names the target and the URL; no empty run stays."""
    said = gurukul(*verb, str(target_file())).trouble
    assert "staging" in said
    assert "http://127.0.0.1:1" in said
    assert gurukul.left_behind() == []


@pytest.mark.parametrize("verb", DRIVERS, ids=" ".join)
def test_a_wrong_anon_key(gurukul, verb: tuple[str, ...], target_file: TargetFile, served: str):
    """The target's refusal is told as what it is."""
    said = gurukul(*verb, str(target_file(served, key="wrong"))).trouble
    assert "anon key" in said
    assert "anon_key" in said


def test_a_taken_port(gurukul):
    """The line names the address and the option; PostgreSQL is stopped again."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = gurukul("serve", "--port", str(port)).trouble
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said
    assert gurukul.left_behind() == []


@pytest.mark.parametrize(
    "command",
    [("serve", "--port", "0"), ("conform", "hardened"), ("swarm", "search_and_chat", "hardened"), ("bench", "--quick")],
    ids=lambda command: command[0],
)
def test_a_wrong_database_url(gurukul, command: tuple[str, ...]):
    """Every verb that takes one tells the same thing, without the password."""
    said = gurukul(*command, "--database-url", "postgresql://me:secret@127.0.0.1:1/nothing").trouble
    assert "127.0.0.1:1/nothing" in said
    assert "secret" not in said
    assert gurukul.left_behind() == []


async def test_a_database_with_foreign_tables(gurukul, cluster: Cluster):
    """A database that is not ours is left as it is, and the line says what to do."""
    connection = await asyncpg.connect(cluster.url)
    await connection.execute("create database foreign_things")
    await connection.close()
    url = database_in(cluster.url, "foreign_things")
    connection = await asyncpg.connect(url)
    await connection.execute("create table public.precious (id int)")
    said = gurukul("serve", "--port", "0", "--database-url", url).trouble
    assert "precious" in said
    assert ": " in said
    names = await connection.fetch("select nspname from pg_namespace where nspname in ('gurukul', 'auth')")
    await connection.close()
    assert names == []


@pytest.mark.parametrize("verb", [("conform", "hardened"), ("bench", "--quick")], ids=lambda verb: verb[0])
def test_results_that_cannot_be_written(gurukul, verb: tuple[str, ...]):
    """The line names the folder, and nothing was started."""
    gurukul.results.write_text("a file where the folder should be")
    said = gurukul(*verb).trouble
    assert "the results cannot be written to results/" in said
    assert "choose another folder" in said


def test_a_target_file_that_cannot_be_written(gurukul):
    """`serve` says so before it starts anything."""
    said = gurukul("serve", "--port", "0", "--write-target", "/nonexistent/target.toml").trouble
    assert said.startswith("/nonexistent/target.toml cannot be written (there is no folder /nonexistent): ")
    assert gurukul.left_behind() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nonsense",), "No such command 'nonsense': see gurukul --help"),
        (("bench", "--nonsense"), "(Possible options: --seed): see gurukul bench --help"),
        (("conform",), "see gurukul conform --help"),
        (("serve", "--engine", "nonsense"), "there is no engine nonsense: choose one of documented, hardened"),
        (("serve", "--port", "99999"), "'--port'"),
        (("serve", "--host", "192.0.2.1"), "cannot listen at 192.0.2.1 (Cannot assign requested address): choose an"),
        (("serve", "--host", "no.invalid"), "choose an address of this machine as --host, or 0.0.0.0 for all"),
        (("conform", "hardened", "--time", "fast"), "there is no time fast: choose --time scaled or --time real"),
        (("peers", "hardened", "--network", "moon"), "there is no network"),
        (("swarm", "search_and_chat", "hardened", "--arrivals", "soon"), "is no arrival schedule"),
        (
            ("swarm", "joins", "hardened", "--find-ceiling", "--closed", "2"),
            "--find-ceiling and --closed 2 exclude each",
        ),
        (("conform", "http://127.0.0.1:1"), "http://127.0.0.1:1 is a URL, and a target is named by a file"),
        (("swarm", "joins", "https://h/x"), "or have it written by gurukul serve --write-target FILE"),
        (("judge", "/nonexistent"), "there is no history /nonexistent"),
        (("report", "/nonexistent"), "there is no run in /nonexistent"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_words_on_the_command_line(gurukul, arguments: tuple[str, ...], says: str):
    """An unknown verb, option, value or file: one line, exit 3."""
    assert says in gurukul(*arguments).trouble
    assert gurukul.left_behind() == []


def test_a_choice_of_no_requirement(gurukul, target_file: TargetFile):
    """The line names an id that may be chosen."""
    assert "no requirement matches -k 'nonesuch'" in gurukul("conform", str(target_file()), "-k", "nonesuch").trouble


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        ("MM-S1 MM-L2", "is wrong at 'MM-L2'"),
        ("MM-S1,MM-L2", "is wrong at ','"),
        ("MM-S*", "is wrong at '*'"),
        ("(MM-S1", "ends too early"),
        ("MM-S1 and", "ends too early"),
    ],
)
def test_a_choice_that_cannot_be_read(gurukul, choice: str, why: str):
    """What is wrong and an example, at once: nothing was started for it."""
    said = gurukul("conform", "hardened", "-k", choice).trouble
    assert said == f"-k {choice!r} {why}: join ids and groups by or, and, not: -k 'MM-S1 or MM-L2'"
    assert gurukul.runs() == []


@pytest.mark.parametrize("verb", [("conform", "hardened"), ("mutants",)], ids=" ".join)
def test_an_empty_choice(gurukul, verb: tuple[str, ...]):
    """A variable of the shell that is not set does not mean everything."""
    for nothing in ("", "  "):
        said = gurukul(*verb, "-k", nothing).trouble
        assert said == "-k says nothing: name what to choose, or leave -k out for all"


def test_options_that_do_not_fit_a_target_file(gurukul, target_file: TargetFile):
    """What only makes sense for a built-in target is refused, not ignored."""
    path = str(target_file(more='time = "real"\n'))
    assert "says time = 'real'" in gurukul("conform", path, "--time", "scaled").trouble
    assert "--database-url is for the built-in targets" in gurukul("conform", path, "--database-url", "x").trouble


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--network", "vnet", "--nat-mix", "moon"), "there is no mix 'moon': use "),
        (("--network", "vnet", "--nat-mix", "moon.toml"), "moon.toml cannot be read"),
        (("--network", "vnet", "--turn", "udp,quic"), "there is no arm “quic”: use --turn none, udp, tcp, tls"),
        (("--nat-mix", "design-doc"), "loopback has neither NATs nor a relay: choose --network vnet or netns"),
        (("--turn", "udp"), "loopback has neither NATs nor a relay"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_networks_that_make_no_sense(gurukul, options: tuple[str, ...], says: str):
    """Each is told before anything is started."""
    assert says in gurukul("peers", "hardened", *options).trouble
    assert gurukul.runs() == []


def test_a_machine_without_kernel_networks(gurukul, monkeypatch: pytest.MonkeyPatch):
    """What it lacks is said with the reason, and what to do instead; nothing of the target was started."""
    monkeypatch.setenv("PATH", "/nonexistent")
    ended = gurukul("peers", "hardened", "--network", "netns", "--pairs", "1")
    assert ended.status == 3
    assert "this machine cannot have the kernel network: the program unshare is not installed" in ended.err
    assert ended.err.rstrip().endswith("use the network vnet")
    assert gurukul.left_behind() == []
    assert gurukul.runs() == []
