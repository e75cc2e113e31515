"""`gurukul serve`: what it passes on to the server, and what the target file then says."""

import signal
import urllib.request

import pytest

from harness.cli.serve import read_settings
from harness.errors import Trouble
from harness.target import load_target


def test_settings_and_target_file(gurukul, tmp_path):
    """Workers, plan and further settings reach the server; the target file names the plan; all is gone at the end."""
    file = tmp_path / "local.toml"
    process = gurukul.start(
        "serve", "--port", "0", "--workers", "2", "--plan", "free", "--set", "database-pool=3", "--set",
        "turn_secret=a=b", "--write-target", str(file),
    )  # fmt: skip
    lines = iter(process.stdout.readline, "")
    url = next(line.split()[-1] for line in lines if line.startswith("supabase url"))
    assert next(line for line in lines if line.startswith("ready"))
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        assert b"\ndatabase_up 1.0\n" in answer.read()
    assert load_target(file).capabilities.plan == "free"
    servers = [child for child in gurukul.children() if "reference_server" in child.cmdline()]
    assert len(servers) == 3  # two workers and their parent
    assert {"--workers=2", "--plan=free", "--database-pool=3", "--turn-secret=a=b"} <= set(servers[0].cmdline())
    process.send_signal(signal.SIGINT)
    assert gurukul.finish(process).status == 0
    assert gurukul.left_behind() == []


@pytest.mark.parametrize("text", ["join_rate_limit", "=0", ""])
def test_a_setting_that_is_none(text):
    """A setting needs a name and a value; the line says where the names stand."""
    with pytest.raises(Trouble, match=r"a setting is NAME=VALUE: python -m reference_server --help lists them"):
        read_settings([text])


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--plan=gold", "--plan: Input should be 'none', 'free', 'pro' or 'team' (given: 'gold')"),
        ("--set=queue_ttl=soon", "--queue-ttl: Input should be a valid number"),
        ("--set=nonsense=1", "unrecognized arguments: --nonsense=1"),
    ],
)
def test_settings_that_cannot_be(gurukul, option, line):
    """What the server refuses is one line of the command, with status 3."""
    assert gurukul("serve", "--port", "0", option).trouble.startswith(line)


def test_help_names_what_matters(gurukul):
    """The help has the settings that one needs most, and says where the rest stands."""
    said = gurukul("serve", "--help")
    assert said.status == 0
    for option in ("--engine", "--port", "--workers", "--plan", "--database-url", "--queue-ttl", "--set", "--mutant"):
        assert option in said.out
    assert "python -m reference_server --help" in " ".join(said.out.split())
