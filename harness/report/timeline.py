"""The timeline of a finding: its witness drawn as an SVG, one lane a user, and the same as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt

from harness.report.charts import INK, MUTED, SERIES, WIDE, svg
from harness.report.rows import op_text, shortened

Op = dict[str, Any]
"""One op as it stands in a history."""

_ROW = 40
"""Height of one op in CSS pixels: its words, and its bar below them."""
_LETTER = 6.6
"""Width of a letter of the labels, in CSS pixels, on average."""
_ENDS: tuple[tuple[str, Literal["left", "right"]], ...] = (("start", "left"), ("end", "right"))
_COLOURS = {"ok": SERIES[0], "info": MUTED, "fail": SERIES[1]}


def timeline(witness: Sequence[Op], width: int = WIDE) -> str:
    """The picture of a witness; empty where there is none. An op without a time is not drawn.

    Users stand below each other in the order of their first ops; each op is a bar from its start to its end (a dot
    where it has no length), with what it said above it. Seconds count from the start of the first op. An op that never
    came back has an open end. Colours are the CSS variables of the report's page, and `currentColor` where they are
    not set.

    Args:
        witness: 1 to 6 ops.
        width: in CSS pixels.
    """
    witness = [op for op in witness if "t0" in op]
    if not witness:
        return ""
    rows = _rows(witness, width)
    end = max(row["end"] for row in rows)
    bars = alt.Chart(alt.Data(values=rows))
    x = alt.X(
        "start:Q",
        title="seconds",
        scale=alt.Scale(domain=[0, end], nice=False),
        axis=alt.Axis(tickCount=6 if width == WIDE else 3),
    )
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.2))
    colour = alt.Color("outcome:N", scale=alt.Scale(domain=list(_COLOURS), range=list(_COLOURS.values())), legend=None)
    layers = alt.layer(
        bars.mark_bar(height=8, yOffset=9, cornerRadius=2, fillOpacity=0.85).encode(x=x, x2="end:Q", y=y, color=colour),
        bars.mark_point(size=70, yOffset=9, filled=True, opacity=1).encode(x=x, y=y, color=colour).transform_filter(
            alt.datum.end - alt.datum.start < end / 150
        ),
        *(_labels(bars, y, column, align) for column, align in _ENDS),
    ).properties(width=width - 60, height=alt.Step(_ROW))  # fmt: skip
    lanes = layers.facet(
        row=alt.Row(
            "lane:N", sort=list(dict.fromkeys(row["lane"] for row in rows)), title=None,
            header=alt.Header(labelAngle=0, labelAlign="left", labelColor=INK, labelFontSize=13, labelFontWeight="bold",
                              labelOrient="top", labelAnchor="start", labelPadding=2),
        ),
        spacing=6,
    ).resolve_scale(y="independent")  # fmt: skip
    return svg(lanes, "What happened, user by user; the list below says the same.")


def _labels(bars: alt.Chart, y: alt.Y, column: str, align: Literal["left", "right"]) -> alt.Chart:
    """The words above the bars: from the start of an op where there is room to the right, else up to its end."""
    chart: alt.Chart = (
        bars.mark_text(align=align, yOffset=-6, fontSize=12, color=INK)
        .encode(x=alt.X(f"{column}:Q"), y=y, text="words:N")
        .transform_filter(alt.datum.align == align)
    )
    return chart


def timeline_text(witness: Sequence[Op]) -> str:
    """The same as text, one line an op: `+0.400–0.500 s  3f2a1c  poll sees no session (ok)`."""
    rows = _rows(witness, WIDE)
    lane = max((len(row["lane"]) for row in rows), default=0)
    rows.sort(key=lambda row: (row["start"], row["row"]))
    return "\n".join(f"+{row['start']:.3f}–{_end(row)} s  {row['lane']:<{lane}}  {row['words']}" for row in rows)


def _end(row: dict[str, Any]) -> str:
    return f"{row['end']:.3f}" if row["came_back"] else "…"


def _rows(witness: Sequence[Op], width: int) -> list[dict[str, Any]]:
    """One row an op, in the order of lanes and times; seconds from the first start."""
    if not witness:
        return []
    first = min(float(op["t0"]) for op in witness)
    last = max(float(op["t1"] if op.get("t1") is not None else op["t0"]) for op in witness) - first
    horizon = max(last, 0.001) * 1.02
    lanes = list(dict.fromkeys(_lane(op) for op in sorted(witness, key=lambda op: op["t0"])))
    ordered = sorted(witness, key=lambda op: (lanes.index(_lane(op)), op["t0"]))
    most = int((width - 60) / _LETTER)
    return [_row(op, at, first, horizon, most) for at, op in enumerate(ordered)]


def _row(op: Op, at: int, first: float, horizon: float, most: int) -> dict[str, Any]:
    start = float(op["t0"]) - first
    came_back = op.get("t1") is not None
    end = float(op["t1"]) - first if came_back else horizon
    outcome = str(op.get("outcome", "ok"))
    words = op_text(op) + ("" if outcome == "ok" else f" ({outcome})") + ("" if came_back else ", never came back")
    after, before = int((1 - start / horizon) * most), int(end / horizon * most)
    room = max(after, before)
    words = words if len(words) <= room else words[: room - 1] + "…"
    return {
        "row": at, "lane": _lane(op), "start": round(start, 6), "end": round(end, 6), "came_back": came_back,
        "outcome": outcome, "words": words, "align": "left" if len(words) <= after else "right",
    }  # fmt: skip


def _lane(op: Op) -> str:
    device = str(op.get("device") or "d1")
    who = shortened(str(op.get("user") or "")) or "the run"
    return who if device == "d1" else f"{who} ({device})"
