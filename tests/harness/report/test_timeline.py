"""The timeline of a witness: every op in its user's lane, as a picture and as text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from harness.report.charts import NARROW, WIDE
from harness.report.timeline import timeline, timeline_text


def op(user: str, name: str, t0: float, t1: float | None, outcome: str = "ok", **value: Any) -> dict[str, Any]:
    return {"n": 1, "t0": t0, "t1": t1, "user": user, "device": "d1", "op": name, "outcome": outcome, "value": value}


WITNESS = [
    op("alice", "join", 50.0, 50.1, mode="global"),
    op("bob", "leave", 50.2, None, "info"),
    op("alice", "poll", 51.0, 51.5, session=None),
]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_picture_names_users_and_ops(width: int) -> None:
    """Lanes by user, an op's words each, seconds from the first op; no colour that only one theme can show."""
    svg = timeline(WITNESS, width)
    texts = [
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")
    ]
    assert texts.count("alice") == texts.count("bob") == 1
    assert {"join mode=global", "leave (info), never came back", "poll sees no session", "seconds"} <= set(texts)
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', svg))
    assert all(colour in {"none", "transparent"} or colour.startswith("var(") for colour in colours), colours


def test_hostile_names_stay_text() -> None:
    """A target may name things as it likes."""
    svg = timeline([op("<script>x</script>", "join", 0.0, 0.1), op("b", "push", 1.0, 1.0, id="</svg>")])
    assert "<script" not in svg
    assert svg.count("</svg>") == 1


def test_a_moment_is_drawn() -> None:
    """A single op without length has its dot, and the axis a length."""
    assert "<path" in timeline([op("alice", "push", 7.0, 7.0)])


def test_nothing_to_draw() -> None:
    """A finding beyond the first thousand has no witness."""
    assert timeline([]) == timeline([{"n": 1}]) == ""
    assert timeline_text([]) == ""


def test_the_text_has_a_line_for_each_op() -> None:
    """In the order of time."""
    assert timeline_text(WITNESS).splitlines() == [
        "+0.000–0.100 s  alice  join mode=global",
        "+0.200–… s  bob    leave (info), never came back",
        "+1.000–1.500 s  alice  poll sees no session",
    ]


def test_two_devices_are_two_lanes() -> None:
    """A user's second device stands for itself; ops of nobody belong to the run."""
    text = timeline_text([op("alice", "join", 0.0, 0.1) | {"device": "d2"}, op("", "fault", 1.0, 2.0, kind="kill")])
    assert "alice (d2)  join" in text
    assert "the run     fault kind=kill" in text
