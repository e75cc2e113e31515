"""Connections in the reports: arms with theory, NAT pairs, paths, steps, failures, contradictions; nothing left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from pydantic import BaseModel
from rich.console import Console

from harness.report.connections import connections_view
from harness.report.html import page
from harness.report.terminal import summary
from harness.results.connections import (
    Arm,
    Connections,
    Contradiction,
    Level,
    NatPair,
    PathType,
    Quality,
    Theory,
)
from harness.results.finding import Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.run import BenchRun, PeersRun, TargetFigures, dump_run
from harness.results.spread import Spread
from harness.results.store import StoredRun, parse_run

STEPS = {
    "offer_sent": Spread(count=881, p50=21, p95=22, p99=23, max=24),
    "ice": Spread(count=882, p50=31, p95=32, p99=33, max=34),
    "dtls": Spread(count=883, p50=41.5, p95=42.5, p99=43.5, max=44.5),
}
NONE = Arm(
    turn="none", attempted=501, connected=436, success_rate=0.8703, interval_95=(0.8381, 0.8968),
    theory=Theory(pairs=497, connected=433, expected=434, relay_needed=63, mix_rate=0.8742, mix_in_interval=True),
    contradictions=2, untried=7, alone=4, glare=11, renegotiated=13, relay_used=0,
    failures_by_stage={"ice-checks-timeout": 58, "signalling-lost": 7},
    nat_pairs=(
        NatPair(kinds=("fullcone", "symmetric"), attempted=81, connected=80, success_rate=0.9877,
                interval_95=(0.9333, 0.9978), connects=True, needs_relay=False, contradictions=1),
        NatPair(kinds=("symmetric", "symmetric"), attempted=19, connected=1, success_rate=0.0526,
                interval_95=(0.0094, 0.2464), connects=False, needs_relay=True, contradictions=1),
        NatPair(kinds=("symmetric", "unknown"), attempted=3, connected=0, success_rate=0.0, interval_95=(0.0, 0.5615)),
    ),
    path_types=(
        PathType(types=("host", "srflx"), pairs=400, share=0.9174, interval_95=(0.8878, 0.9397)),
        PathType(types=("prflx", "srflx"), pairs=36, share=0.0826, interval_95=(0.0603, 0.1122)),
    ),
    steps_ms=STEPS,
    quality=Quality(rtt_ms=Spread(count=61, p50=51, p95=52, p99=53, max=54),
                    jitter_ms=Spread(count=62, p50=1.1, p95=1.2, p99=1.3, max=1.4),
                    loss=Level(count=64, median=0.0123, worst=0.0456), mos=Level(count=65, median=4.21, worst=3.17)),
)  # fmt: skip
UDP = Arm(
    turn="udp", attempted=499, connected=499, success_rate=1.0, interval_95=(0.9924, 1.0),
    theory=Theory(pairs=499, connected=499, expected=499, relay_needed=66, mix_rate=0.9604, mix_in_interval=False),
    relay_used=71, relay_bytes=1234567,
    nat_pairs=(NatPair(kinds=("symmetric", "symmetric"), attempted=17, connected=17, success_rate=1.0,
                       interval_95=(0.8157, 1.0), connects=True, needs_relay=True),),
    path_types=(PathType(types=("relay", "relay"), pairs=71, share=0.1423, interval_95=(0.1144, 0.1757)),),
)  # fmt: skip
DOUBTS = tuple(
    Contradiction(session=f"{n:08d}-0000-4000-8000-000000000000", kinds=kinds, turn="none", expected=expected,
                  stage=stage, detail=detail)
    for n, kinds, expected, stage, detail in (
        (91, ("fullcone", "symmetric"), True, "ice-checks-timeout", "no candidate <pair> worked"),
        (92, ("symmetric", "symmetric"), False, "connected", ""),
    )
)  # fmt: skip
CONNECTIONS = Connections(
    network="vnet", mix="design-doc", unmatched=5, relay_bytes=1234568, arms=(NONE, UDP), contradictions=DOUBTS
)


def run_of(connections: Connections | None = CONNECTIONS) -> PeersRun:
    reason = "2 pairs contradict the theory of NATs"
    target = TargetFigures(name="hardened", verdict=Verdict.UNKNOWN, reason=reason, connections=connections)
    return PeersRun(
        fingerprint=Fingerprint(created="2025-01-02T03:04:05+00:00"), verdict=Verdict.UNKNOWN, reason=reason,
        targets=(target,),
    )  # fmt: skip


class _Words(HTMLParser):
    """The text of a page, without its style."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._style = tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.words.append(data)


def words_of(html: str) -> str:
    """What the page says in words, without the list of all figures."""
    parser = _Words()
    parser.feed(re.sub(r'<section id="figures">.*?</section>', "", html, flags=re.DOTALL))
    return " ".join(" ".join(parser.words).split())


def terminal_of(run: StoredRun, width: int = 140) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(summary(run))
    return captured.get()


def leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every figure of a model with the name of its field."""
    if isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from leaves(getattr(value, field), f"{name}.{field}")
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(key, name)
            yield from leaves(one, f"{name}.{key}")
    elif isinstance(value, tuple):
        for one in value:
            yield from leaves(one, name)
    elif value is not None and value != 0 and not isinstance(value, bool):
        yield name, value


def written(name: str, value: object) -> str:
    """How a figure is written in a report."""
    if isinstance(value, str):
        return f"TURN over {value.upper()}" if name.endswith("turn") and value != "none" else {"none": "no TURN"}.get(
            value, value.replace("_", " ")
        )  # fmt: skip
    assert isinstance(value, int | float)
    if ".loss" in name and not name.endswith("count"):
        return f"{value:.2%}"
    if "mos" in name and not name.endswith("count"):
        return f"{value:.2f}"
    if re.search(r"rate$|share$|interval_95$", name):
        return f"{value:.2%}" if name.endswith("mix_rate") else f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
    return f"{value:,}"


def test_every_figure_of_the_run_is_on_the_page() -> None:
    """Whoever has the page needs no run.json beside it."""
    words = words_of(page(run_of()))
    missing = [(name, value) for name, value in leaves(CONNECTIONS) if written(name, value) not in words]
    assert not missing


def test_nearly_every_figure_is_on_the_terminal() -> None:
    """The terminal shows the same, but for the rates of the pairs of NATs; and it shortens the ids of sessions."""
    text = " ".join(terminal_of(run_of(), width=220).split())
    left_out = re.compile(r"session$|nat_pairs\.(success_rate|interval_95)$")
    figures = [(name, value) for name, value in leaves(CONNECTIONS) if not left_out.search(name)]
    assert not [(name, value) for name, value in figures if written(name, value) not in text]


def test_theory_is_said_in_words() -> None:
    """Beside each arm: what these pairs should have done, and whether the mix's rate lies in the interval."""
    words = words_of(page(run_of()))
    for text in ("434 of 497 should, 433 did", "87.42%, within the interval", "96.04%, outside the interval"):
        assert text in words


def test_without_nats_nothing_is_said_of_theory() -> None:
    """On loopback nobody can claim that nothing contradicts it."""
    arm = Arm(turn="none", attempted=1, connected=1, success_rate=1.0, interval_95=(0.2065, 1.0))
    words = words_of(page(run_of(Connections(network="loopback", arms=(arm,)))))
    assert "1 of 1 = 100.0% (20.6%–100.0%)" in words
    assert "theory of these pairs" not in words and "contradictions" not in words and "pairs of NATs" not in words


def test_the_map_speaks_without_its_colours() -> None:
    """Each cell has its counts, its rate, and what theory says, as text in a table with caption and headings."""
    html = page(run_of())
    words = words_of(html)
    assert "80 of 81 98.8% (93.3%–99.8%) connects 1 against theory" in words
    assert "1 of 19 5.3% (0.9%–24.6%) cannot connect 1 against theory" in words
    assert "17 of 17 100.0% (81.6%–100.0%) needs a relay" in words
    maps = re.findall(r'<table class="heat">.*?</table>', html, re.DOTALL)
    assert len(maps) == 2
    for table in maps:
        assert "<caption>" in table and 'scope="col"' in table and 'scope="row"' in table


def test_each_pair_of_kinds_stands_once() -> None:
    """Kinds stand from the most open to the most closed, and the upper half of the map is left out."""
    view = connections_view("t", CONNECTIONS)
    assert view.maps[0].kinds == ["fullcone", "symmetric", "unknown"]
    assert [len(cells) for _, cells in view.maps[0].rows] == [1, 2, 3]
    assert sum(cell is not None for _, cells in view.maps[0].rows for cell in cells) == 3


def test_contradictions_are_listed() -> None:
    """In both directions, with what theory says and what came of it; and what peers said is text."""
    html = page(run_of())
    words = words_of(html)
    assert "fullcone – symmetric no TURN connects ice-checks-timeout no candidate <pair> worked" in words
    assert "symmetric – symmetric no TURN cannot connect connected" in words
    assert "<pair>" not in html
    text = " ".join(terminal_of(run_of()).split())
    assert "session 000000…: theory says cannot connect, and it came out as connected" in text


def test_many_contradictions_do_not_bury_the_terminal() -> None:
    """Ten are shown and the rest counted; the page has them all."""
    many = CONNECTIONS.model_copy(update={"contradictions": DOUBTS * 20})
    text = terminal_of(run_of(many))
    assert text.count("theory says") == 10
    assert "and 30 more pairs that contradict theory" in text
    assert page(run_of(many)).count("<code>000000") == 40


def test_the_report_says_what_aiortc_cannot_do() -> None:
    """A pair that came back made a new connection: a reader must not take it for an ICE restart."""
    assert "aiortc has no ICE restart" in words_of(page(run_of()))
    assert "renegotiated" in terminal_of(run_of())


def test_the_page_still_needs_nothing_else() -> None:
    """No scripts, and nothing that is fetched."""
    html = page(run_of())
    assert "<script" not in html
    assert not re.search(r'(?:src|href)="(?!data:|#)', html)
    assert "url(http" not in html


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_cuts_no_figure(width: int) -> None:
    """Cells are folded."""
    text = terminal_of(run_of(), width)
    assert "…" not in text.split("theory says")[0].rpartition("session")[0]
    assert "1,234,568" in text


def test_a_run_without_connections_has_no_such_section() -> None:
    """Nor has one whose pairs were all left unmatched: they are told among the pairs."""
    for connections in (None, Connections(unmatched=3)):
        assert "How they connected" not in page(run_of(connections))
        assert "how they connected" not in terminal_of(run_of(connections))


def test_a_bench_shows_connections_on_its_page_alone() -> None:
    """Its terminal is the comparison of two engines; the page has the rest, under the name of each."""
    targets = tuple(run_of().targets[0].model_copy(update={"name": name}) for name in ("documented", "hardened"))
    bench = BenchRun(fingerprint=run_of().fingerprint, verdict=Verdict.VALID, targets=targets)
    assert "how they connected" not in terminal_of(bench)
    assert "How they connected: documented" in page(bench)
    assert "How they connected: hardened" in page(bench)


def test_runs_from_before_still_load() -> None:
    """A stored run without connections reads as one that has none; one with them reads back as it was."""
    run = run_of()
    assert parse_run(run.model_dump(mode="json", by_alias=True), "here") == run
    old = run.model_dump(mode="json", by_alias=True)
    del old["targets"][0]["connections"]
    assert parse_run(old, "here").targets[0].connections is None  # type: ignore[union-attr]
    assert '"mix": "design-doc"' in dump_run(run)
