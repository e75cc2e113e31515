"""The interval checkers beside an exhaustive search, on ten thousand small histories (see agreement.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace

from harness.checkers.judge import judge
from harness.history.op import Outcome

EXAMPLES = 10_000
TRAITS = ("info", "lost reply", "pushed twice", "matched")


@pytest.mark.deep
def test_the_checkers_agree_with_the_search() -> None:
    """On every history; and the histories hold enough of everything that the agreement means something."""
    program = Path(__file__).with_name("agreement.py")
    done = subprocess.run([sys.executable, str(program), str(EXAMPLES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["histories"] >= EXAMPLES
    assert seen["too large"] <= EXAMPLES / 100
    assert seen["missed"] <= seen["broken"] / 100
    shares = {name: seen[name] / seen["searched"] for name in ("broken", *TRAITS)}
    assert all(share > 0.08 for share in shares.values()), shares
    assert min(seen[f"red {rule}"] for rule in ("S1", "S2", "S3", "S4", "S5", "S7", "S8")) >= 5, seen
    assert seen["red S6"] >= 2, seen


def test_the_search_decides_plain_cases(exact: ModuleType, toys: ModuleType, story: Any) -> None:
    """The oracle itself, on stories that a person decides at once."""
    match = "0-0.1 A join\n0-0.1 B join\n0.5 A push X(A,B)\n"
    cases = {
        match: "",
        match + "0-0.1 C join\n0.6 C push Y(A,C)\n3-3.1 A poll X(A,B)\n3-3.1 C poll Y(A,C)": "S1",
        "0-0.1 B join\n0-0.1 A heartbeat\n0.5 B push X(A,B)": "S4",
        "0-0.1 A join\n9-9.1 B join\n9.5 B push X(A,B)": "S5",
        "0-0.1 A join\n0.2-0.3 A leave\n1-1.1 B join\n1.5 B push X(A,B)": "S6",
        match + "0.6-0.7 B end X\n1-1.1 C join\n1.5 C push Y(A,C)": "S7",
        match + "0.6-0.7 B end X\n1-1.1 A poll X(A,B)": "S8",
        "0-0.1 A join?\n9-9.1 B join\n9.5 B push X(A,B)": "",
        match + "2-2.1 A poll -\n3-3.1 C join\n2.5-2.6 A join\n3.5 C push Y(A,C)": "",
    }
    for text, rule in cases.items():
        oracle = exact.Oracle(story(text), toys.BUDGETS)
        assert oracle.broken == bool(rule), text
        assert not rule or oracle.blames(rule), text


def test_a_blind_checker_would_be_noticed(toys: ModuleType, exact: ModuleType, story: Any) -> None:
    """The comparison can fail: an op taken out of the judged history leaves the search alone with its red."""
    ops = story("0-0.1 A join\n0.2-0.3 A leave\n1-1.1 B join\n1.5 B push X(A,B)")
    assert exact.Oracle(ops, toys.BUDGETS).broken
    blind = [replace(op, outcome=Outcome.INFO) if op.op == "leave" else op for op in ops]
    assert judge(blind, toys.BUDGETS).violations == {}
    assert judge(ops, toys.BUDGETS).violations == {"MM-S6": 1}
