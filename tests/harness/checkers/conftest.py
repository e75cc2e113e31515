"""A small notation for histories, so that a test reads like a story.

One op a line: `<t0>[-<t1>] <user>[.<device>] <op>[?|!] [what]`; `?` makes the outcome info, `!` makes it fail. A
session is written `X(A,B)`, an ended one `X(A,B)~`, no session `-`. `subscribe` takes `matches` or a session id, and is
ready at its end (`subscribe matches late` never is). Blank lines and what follows `#` are ignored.
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
}
OUTCOME = {"": Outcome.OK, "?": Outcome.INFO, "!": Outcome.FAIL}


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
        return {"session": {"id": found["id"], "user1": found["one"], "user2": found["two"], "status": status}}
    if op == "poll":
        return {"session": None}
    if op in {"end", "told"}:
        return {"id": words[0], "by": "update"}
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
    """Judges a story by a TTL of 6 s, 1 s to match and to notify, 3 s to tell of a vanished partner, 0.5 s of slack."""
    budgets = Budgets(queue_ttl=6, match=1, notify=1, disconnect=3, tolerance=0.5, poll_interval=3)

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


def beside(name: str) -> ModuleType:
    """A module that lies beside this file."""
    spec = importlib.util.spec_from_file_location(f"checkers_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
