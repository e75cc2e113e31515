"""What a load generator is told on its command line, beyond Locust's own options."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from harness.actor.persona import Persona
from harness.errors import Trouble, remedy
from harness.protocol.token import local_anon_key
from harness.target import Target, load_target


@dataclass(frozen=True)
class SwarmSettings:
    """The settings of one load generator; times in seconds. Each has an option of the same name."""

    target_file: str = ""
    arrivals: str = "constant"
    users: int = 1
    """How many arrive: `--arrival-count`, else Locust's `--users`."""
    rate: float = 1.0
    """Users per second: `--arrival-rate`, else Locust's `--spawn-rate`."""
    duration: float | None = None
    seed: int = 0
    peer_share: float | None = None
    talk: tuple[float, float] | None = None
    drain: float = 6.0
    lead: float = 4.0
    """How long before he is due a user signs up and opens his socket, at most."""
    patience: float | None = None
    """How long a user waits for a match before he leaves. None of these three: as the persona says."""
    rounds: int | None = None
    """How often a user searches, at most; None: as the persona says."""
    folder: str = ""
    """Where the histories go."""
    name: str = "swarm"
    anon_key: str = ""
    tell_fd: int | None = None
    parent_pid: int | None = None

    def arguments(self) -> list[str]:
        """The options that `settings_of` reads back as these settings; pipe and parent are for the starter to add."""
        given = {
            "target": self.target_file,
            "arrivals": self.arrivals,
            "arrival-count": self.users,
            "arrival-rate": self.rate,
            "duration": self.duration,
            "seed": self.seed,
            "peer-share": self.peer_share,
            "talk": None if self.talk is None else f"{self.talk[0]:g}:{self.talk[1]:g}",
            "drain": self.drain,
            "lead": self.lead,
            "patience": self.patience,
            "rounds": self.rounds,
            "history-folder": self.folder,
            "history-name": self.name,
        }
        return [f"--{option}={value}" for option, value in given.items() if value not in {None, ""}]

    def told(self, persona: Persona) -> Persona:
        """The persona as it is played: what is given here replaces what it says."""
        return replace(
            persona,
            talk=persona.talk if self.talk is None else self.talk,
            peer_share=persona.peer_share if self.peer_share is None else self.peer_share,
            patience=persona.patience if self.patience is None else self.patience,
            crossing=persona.crossing if self.patience is None else 0.0,
            rounds=persona.rounds if self.rounds is None else self.rounds,
        )

    def target(self, host: str | None) -> Target:
        """The deployment to load: the target file, or the application and Supabase both behind one URL.

        Raises:
            Trouble: the target file is unfit, or there is neither file nor URL.
        """
        if self.target_file:
            return load_target(Path(self.target_file))
        if not host:
            raise Trouble("there is no target", "give --host URL, or --target FILE")
        url = host.rstrip("/").removesuffix("/api")
        key = self.anon_key or os.environ.get("GURUKUL_ANON_KEY", "") or local_anon_key()
        try:
            return Target(name="locust", api_url=f"{url}/api", supabase_url=url, anon_key=key)
        except ValueError:
            raise Trouble(f"{host} is no URL", "give --host as http://… or https://…") from None


_HIDDEN = frozenset({"--anon-key", "--history-folder", "--history-name", "--tell-fd", "--parent-pid"})
"""Options that Locust's web page does not show: they are the machine's, or secret."""


def add_options(parser: ArgumentParser) -> None:
    """Adds the options to Locust's parser; those that say who comes and what he does show in its web page as well."""
    group = parser.add_argument_group("search and chat", "how users arrive and what they do")

    def add(name: str, **how: Any) -> None:
        action = group.add_argument(name, **how)
        if name in _HIDDEN:
            return
        for mark in ("include_in_web_ui", "is_secret", "is_required", "is_multiple"):
            setattr(action, mark, mark == "include_in_web_ui")

    add("--target", dest="target_file", default="", metavar="FILE", help="Target file; replaces --host.")
    add("--arrivals", default="", help="How they come: docs/swarms.md. Default: the locustfile's, else constant.")
    add("--arrival-count", type=int, default=None, help="How many users arrive. Default: --users.")
    add("--arrival-rate", type=float, default=None, help="Users per second. Default: --spawn-rate.")
    add("--duration", type=float, default=None, help="Nobody is due after so many seconds.")
    add("--seed", type=int, default=0, help="Seed of everything that is drawn by lot. Default: 0.")
    add("--peer-share", type=float, default=None, help="Share of sessions with real WebRTC peers.")
    add("--talk", default="", help="Seconds from match to hang-up, MIN:MAX. Default: as the persona says.")
    add("--drain", type=float, default=6.0, help="Seconds of quiet after the last arrival. Default: 6.")
    add("--lead", type=float, default=4.0, help="Seconds that users get to sign up before they are due. Default: 4.")
    add("--patience", type=float, default=None, help="Seconds until who is not matched leaves.")
    add("--rounds", type=int, default=None, help="How often a user searches, at most. Default: as the persona says.")
    add("--anon-key", default="", help="Project's anon key. Default: $GURUKUL_ANON_KEY, else a local project's.")
    add(
        "--history-folder",
        default=_own_folder(),
        metavar="DIR",
        help="Where histories go. Default: results/TIME-locust.",
    )
    add("--history-name", default="swarm", help="Histories are history.NAME.WORKER.ndjson. Default: swarm.")
    add("--tell-fd", type=int, default=None, help="Pipe for progress (for `gurukul swarm`).")
    add("--parent-pid", type=int, default=None, help="Process to end with (for `gurukul swarm`).")


def _own_folder() -> str:
    """A folder for a run that was started by hand: no two runs may write into one history."""
    return f"results/{datetime.now(UTC):%Y%m%d-%H%M%S}-locust"


def settings_of(options: Namespace, *, arrivals: str = "") -> SwarmSettings:
    """The settings in parsed options.

    Args:
        arrivals: the schedule where the options name none; empty: constant.

    Raises:
        Trouble: a value out of range.
    """
    share = _number(options, "peer_share")
    if share is not None and not 0.0 <= share <= 1.0:
        raise Trouble(f"a share of {share:g} is none", "give --peer-share from 0 to 1")
    rounds = _number(options, "rounds")
    if rounds is not None and rounds < 1:
        raise Trouble(f"{rounds:g} rounds are none", "let everybody search at least once")
    rate = _number(options, "arrival_rate")
    return SwarmSettings(
        target_file=options.target_file, arrivals=options.arrivals or arrivals or "constant",
        users=int(_number(options, "arrival_count") or options.num_users or 1),
        rate=options.spawn_rate or 1.0 if rate is None else rate, duration=_number(options, "duration"),
        seed=options.seed, peer_share=share, talk=talk_of(options.talk), drain=options.drain, lead=options.lead,
        patience=_number(options, "patience"), rounds=None if rounds is None else int(rounds),
        folder=options.history_folder, name=options.history_name, anon_key=options.anon_key, tell_fd=options.tell_fd,
        parent_pid=options.parent_pid,
    )  # fmt: skip


def _number(options: Namespace, name: str) -> float | None:
    """An option that need not be given. Locust's web page gives it as a text, and an empty one for none."""
    value = getattr(options, name)
    if value is None or value == "":
        return None
    try:
        return float(value)
    except ValueError:
        raise Trouble(f"“{value}” is no number", f"give --{name.replace('_', '-')} as a number") from None


def free_folder(folder: Path, name: str) -> Path:
    """The folder, or the first of FOLDER-2, FOLDER-3 … that holds no history of that name yet: one for each run."""
    tried = folder
    for number in count(2):
        if not any(tried.glob(f"history.{name}.*.ndjson")):
            break
        tried = folder.with_name(f"{folder.name}-{number}")
    return tried


def made(folder: Path) -> Path:
    """The folder, made where it is not there. Raises Trouble where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Trouble(f"{folder} cannot be made ({error.strerror})", remedy(error, "check its permissions")) from None
    return folder


def talk_of(text: str) -> tuple[float, float] | None:
    """A talk time written as MIN:MAX; None where it is empty. Raises Trouble where it is none."""
    if not text:
        return None
    try:
        least, most = (float(part) for part in text.split(":"))
    except ValueError:
        least, most = 1.0, 0.0
    if not 0 <= least <= most:
        raise Trouble(f"“{text}” is no talk time", "give --talk as MIN:MAX in seconds, for example 4:6")
    return least, most
