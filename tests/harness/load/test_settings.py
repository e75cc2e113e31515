"""What a generator is told on its command line."""

from __future__ import annotations

from argparse import ArgumentParser

import pytest

from harness.actor.personas import CHURNING
from harness.errors import Trouble
from harness.load.settings import SwarmSettings, add_options, settings_of
from harness.protocol.token import local_anon_key
from harness.target import Target, dump_target


def parsed(*words: str, users: int | None = None, rate: float | None = None) -> SwarmSettings:
    parser = ArgumentParser()
    add_options(parser)
    options = parser.parse_args(words)
    options.num_users, options.spawn_rate = users, rate
    return settings_of(options)


def test_the_starter_and_the_generator_understand_each_other():
    """Settings become options, and the options the same settings."""
    settings = SwarmSettings(
        target_file="t.toml", arrivals="burst:32/0.1s@2s", users=320, rate=16.5, duration=30.0, seed=9, peer_share=0.25,
        talk=(1.0, 2.5), drain=3.0, lead=2.0, patience=3.5, rounds=2, folder="runs/one", name="documented.swarm",
    )  # fmt: skip
    assert parsed(*settings.arguments()) == settings


def test_a_given_patience_holds_for_everybody():
    """Also for who would leave just as somebody joins; else the persona says."""
    churner = SwarmSettings(patience=2.0).told(CHURNING)
    assert (churner.patience, churner.crossing) == (2.0, 0.0)
    assert SwarmSettings().told(CHURNING) == CHURNING


def test_locusts_own_users_and_rate_are_the_arrivals():
    """Without options of ours, `-u` is how many arrive and `-r` how many per second."""
    settings = parsed(users=20, rate=10.0)
    assert (settings.users, settings.rate, settings.arrivals) == (20, 10.0, "constant")


def test_no_two_runs_by_hand_share_a_folder_by_default():
    """The folder of a run started by hand carries its time."""
    assert parsed().folder.startswith("results/")
    assert parsed().folder.endswith("-locust")


@pytest.mark.parametrize("host", ["http://127.0.0.1:8000", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/api"])
def test_a_host_is_application_and_supabase_in_one(host):
    """Behind one URL stand both, and a local project's anon key is known."""
    target = SwarmSettings().target(host)
    assert target.api_url == "http://127.0.0.1:8000/api"
    assert target.supabase_url == "http://127.0.0.1:8000"
    assert target.anon_key == local_anon_key()


def test_an_anon_key_can_be_given(monkeypatch):
    """By option, else by the environment."""
    monkeypatch.setenv("GURUKUL_ANON_KEY", "from-the-environment")
    assert SwarmSettings().target("http://h").anon_key == "from-the-environment"
    assert SwarmSettings(anon_key="given").target("http://h").anon_key == "given"


def test_a_target_file_replaces_the_host(tmp_path):
    """A target file says more than a URL, so it wins."""
    target = Target(name="staging", api_url="https://a/api", supabase_url="https://s", anon_key="k")
    (tmp_path / "t.toml").write_text(dump_target(target))
    assert SwarmSettings(target_file=str(tmp_path / "t.toml")).target("http://other") == target


@pytest.mark.parametrize(
    ("words", "host", "says"),
    [
        (("--peer-share=1.5",), "http://h", "a share of 1.5 is none"),
        (("--rounds=0",), "http://h", "0 rounds are none"),
        (("--talk=6:4",), "http://h", "“6:4” is no talk time"),
        (("--talk=long",), "http://h", "“long” is no talk time"),
        ((), None, "there is no target: give --host URL"),
        ((), "nowhere", "nowhere is no URL"),
        (("--target=missing.toml",), None, "there is no target file missing.toml"),
    ],
)
def test_bad_settings_say_what_to_do(words, host, says):
    """Each mistake is Trouble with a remedy."""
    with pytest.raises(Trouble, match=says.replace("(", r"\(")) as caught:
        parsed(*words).target(host)
    assert caught.value.remedy
