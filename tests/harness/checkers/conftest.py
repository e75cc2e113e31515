"""A small notation for histories, so that a test reads like a story.

One op a line: `<t0>[-<t1>] <user>[.<device>] <op>[?|!] [what]`; `?` makes the outcome info, `!` makes it fail. A
session is written `X(A,B)`, an ended one `X(A,B)~`, no session `-`; `offers:A` names its offerer. `subscribe` takes
`matches` or a session id, and is ready at its end (`subscribe matches late` never is). RARE says what follows other
ops. Blank lines and what follows `#` are ignored.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from harness.checkers.judge import judge
from harness.history.op import Op, Outcome, Via
from harness.results.finding import Judgement
from harness.target import Budgets, Capabilities

LINE = re.compile(r"(?P<t0>[\d.]+)(-(?P<t1>[\d.]*))? +(?P<who>\S+) +(?P<op>[a-z_]+)(?P<mark>[?!]?) *(?P<rest>.*)$")
SESSION = re.compile(r"(?P<id>\w+)\((?P<one>\w+),(?P<two>\w+)\)(?P<over>~?)$")
VIA = {
    "join": Via.HTTP,
    "leave": Via.HTTP,
    "end": Via.HTTP,
    "poll": Via.POLL,
    "disconnect": Via.SELF,
    "drain": Via.SELF,
    "fault": Via.SELF,
    "status": Via.HTTP,
    "look": Via.HTTP,
    "fetch": Via.HTTP,
    "signal_send": Via.HTTP,
}
OUTCOME = {"": Outcome.OK, "?": Outcome.INFO, "!": Outcome.FAIL}


RARE: dict[str, Callable[[list[str]], dict[str, object]]] = {
    "join": lambda words: {"mode": words[0]} if words else {},
    "status": lambda words: {"state": words[0]} if words else {},
    "entry": lambda words: {"present": words[0] == "there"},
    "befriend": lambda words: {"buddy": words[0]},
    "look": lambda words: {"id": words[0], "session": None},
    "fetch": lambda words: {"id": words[0], "rows": 0},
    "fault": lambda words: {"kind": words[0]},
    "probe": lambda words: {"table": words[0], "action": words[1], "id": words[2], "rows": int(words[3])},
    "connect": lambda words: {"id": words[0], "role": words[1]},
    "signal_send": lambda words: {"id": words[0], "seq": int(words[1]), "type": words[2]},
    "signal_recv": lambda words: {
        "id": words[0], "sender": words[1], "seq": int(words[2]), "type": words[3], "channel": words[0],
        **({"message": words[4]} if len(words) > 4 else {}), **({"by": words[5]} if len(words) > 5 else {}),
    },
}  # fmt: skip
"""What the words after an op mean: `status idle`, `entry gone`, `look X` (nothing is shown), `signal_recv X A 1 offer
m7 push`, …"""


def read_story(text: str) -> list[Op]:
    """The ops of a story."""
    numbers = count(1)
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [read_line(line, next(numbers)) for line in lines if line]


def read_line(line: str, n: int) -> Op:
    """One op."""
    found = LINE.match(line)
    assert found, f"not an op: {line}"
    user, _, device = found["who"].partition(".")
    t0 = float(found["t0"])
    t1 = t0 if found["t1"] is None else float(found["t1"]) if found["t1"] else None
    op, words = found["op"], found["rest"].split()
    return Op(
        n, t0, t1, "p0", "" if user == "-" else user, device or "d1", op, OUTCOME[found["mark"]], VIA.get(op, Via.WS),
        value_of(op, user, words, (t1 or t0) - t0),
    )  # fmt: skip


def value_of(op: str, user: str, words: list[str], seconds: float) -> dict[str, object]:
    """What an op says."""
    shown = next((word for word in words if SESSION.match(word)), None)
    if shown is not None:
        found = SESSION.match(shown)
        assert found
        status = "ended" if found["over"] else "active"
        named = [word.removeprefix("offers:") for word in words if word.startswith("offers:")]
        session = {"id": found["id"], "user1": found["one"], "user2": found["two"], "status": status}
        return {"id": found["id"], "session": session | ({"offerer": named[0]} if named else {})}
    if op == "poll":
        return {"session": None}
    if op in RARE:
        return RARE[op](words)
    if op in {"end", "told"}:
        return {"id": words[0], "by": words[1] if len(words) > 1 else "update"}
    if op == "subscribe":
        topic = f"matchmaking:{user}" if words[0] == "matches" else f"session:{words[0]}"
        return {"topic": topic, "reply": 0.0} | ({} if words[-1] == "late" else {"ready": seconds})
    if op == "unsubscribe":
        return {"topic": f"matchmaking:{user}" if words[0] == "matches" else f"session:{words[0]}"}
    return {"kind": words[0]} if op == "disconnect" else {}


@pytest.fixture
def story() -> Callable[[str], list[Op]]:
    """Reads a story."""
    return read_story


@pytest.fixture
def judged() -> Callable[..., Judgement]:
    """Judges a story by a TTL of 6 s, 1 s to match and to notify, 3 s to tell of a vanished partner, 0.5 s of slack.

    A fault may take 2 s to heal, a session lasts for 100 s at most, and two may overtake.
    """
    budgets = Budgets(
        queue_ttl=6,
        match=1,
        notify=1,
        disconnect=3,
        tolerance=0.5,
        poll_interval=3,
        heal=2,
        session_max_age=100,
        overtaking=2,
    )

    def judge_story(text: str, capabilities: Capabilities = Capabilities(), **options: bool) -> Judgement:
        return judge(read_story(text), budgets, capabilities, **options)

    return judge_story


@pytest.fixture(scope="session")
def simulator() -> ModuleType:
    """The simulated matcher (see simulator.py)."""
    return beside("simulator")


@pytest.fixture(scope="session")
def provers() -> ModuleType:
    """Plain proofs of faults (see provers.py)."""
    return beside("provers")


@pytest.fixture(scope="session")
def toys() -> ModuleType:
    """Histories of a few users (see toys.py)."""
    return beside("toys")


@pytest.fixture(scope="session")
def exact() -> ModuleType:
    """The exhaustive search (see exact.py)."""
    return beside("exact")


def beside(name: str) -> ModuleType:
    """A module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(f"checkers_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
