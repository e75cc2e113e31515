"""The page in a real browser: accessible, alone, readable on a phone, in light, in dark and on paper."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from harness.lab.chromium import running_chromium
from harness.lab.devtools import DevToolsPage
from harness.report.html import page
from harness.report.matrix import matrix_page
from harness.results.claims import ClaimFigure, ClaimMeasured, ClaimRow, ClaimVerdict
from harness.results.connections import Arm, Connections, Contradiction, NatPair, PathType, Quality, Theory
from harness.results.finding import Verdict
from harness.results.fingerprint import Fingerprint
from harness.results.matrix import LegalRow, Matrix, MutantRow
from harness.results.run import BenchRun, ClaimsRun, ConformSetRun
from harness.results.spread import Spread

AXE = Path(__file__).parent / "axe"
PHONE, SCREEN = 375, 1280
OPENED = "document.querySelectorAll('details').forEach(part => part.open = true)"
SPREAD = Spread(count=80, p50=210.0, p90=310.0, p95=330.0, p99=380.0, max=12390.0)
ARM = Arm(
    turn="none", attempted=100, connected=81, success_rate=0.81, interval_95=(0.722, 0.875),
    theory=Theory(pairs=100, connected=81, expected=80, relay_needed=20, mix_rate=0.8742, mix_in_interval=True),
    contradictions=1, failures_by_stage={"ice-checks-timeout": 19},
    nat_pairs=tuple(
        NatPair(kinds=kinds, attempted=25, connected=connected, success_rate=connected / 25, interval_95=(0.8, 0.99),
                connects=connected > 6, needs_relay=False, contradictions=int(connected == 6))
        for kinds, connected in {
            ("fullcone", "fullcone"): 25, ("fullcone", "portrestricted"): 25, ("fullcone", "symmetric"): 25,
            ("portrestricted", "portrestricted"): 24, ("portrestricted", "symmetric"): 6, ("symmetric", "symmetric"): 0,
        }.items()
    ),
    path_types=(PathType(types=("host", "srflx"), pairs=81, share=1.0, interval_95=(0.95, 1.0)),),
    steps_ms={"offer_sent": SPREAD, "ice": SPREAD, "dtls": SPREAD}, quality=Quality(rtt_ms=SPREAD),
)  # fmt: skip
CONNECTIONS = Connections(
    network="vnet", mix="design-doc",
    arms=tuple(ARM.model_copy(update={"turn": turn}) for turn in ("none", "udp", "tcp")),
    contradictions=(
        Contradiction(session="00000000-0000-4000-8000-000000000001", kinds=("portrestricted", "symmetric"),
                      turn="none", expected=False, stage="connected", detail="a path was found all the same"),
    ),
)  # fmt: skip


CLAIMS = tuple(
    ClaimRow(
        id=f"C{number}", section="3", claim="66 matches per second", how="joins at full speed", verdict=verdict,
        documented=ClaimMeasured(verdict=verdict, measured="71/s", figures={"rate_per_s": ClaimFigure(value=71.2)}),
        hardened=ClaimMeasured(verdict="not testable here", because="it has no such lock"), note="void where invalid",
    )
    for number, verdict in enumerate(get_args(ClaimVerdict))
)  # fmt: skip
MUTANTS = Matrix(
    fingerprint=Fingerprint(created="2025-01-02T03:04:05+00:00"),
    mutants=(MutantRow(id="M01", title="a busy lock", names=("MM-S1",), trials=({"MM-S1": "fail", "MM-S2": "pass"},)),
             MutantRow(id="M02", title="nothing wrong", names=("MM-S2",), trials=({"MM-S1": "unknown"},))),
    legal=(LegalRow(id="L01", title="another order", trials=({"MM-S1": "pass"},)),),
)  # fmt: skip


@pytest.fixture(params=["bench", "conformance", "claims", "mutants"])
def url(request: pytest.FixtureRequest, bench: BenchRun, tmp_path: Path) -> str:
    """The page of a run in which there is something to see in each section."""
    run: Any = ConformSetRun(
        fingerprint=bench.fingerprint, verdict="not-conformant", conformance=bench.conformance
    )  # fmt: skip
    if request.param == "bench":
        targets = tuple(target.model_copy(update={"connections": CONNECTIONS}) for target in bench.targets)
        run = bench.model_copy(update={"targets": targets})
    if request.param == "claims":
        run = ClaimsRun(fingerprint=bench.fingerprint, verdict=Verdict.VALID, claims=CLAIMS)
    file = tmp_path / "report.html"
    name = "20250102T030405Z-bench-0a1b2c"
    file.write_text(matrix_page(MUTANTS) if request.param == "mutants" else page(run, name), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[DevToolsPage]:
    """A page of a browser."""
    async with running_chromium(tmp_path / "chromium.log") as tools:
        yield await tools.page()


async def set_up(
    browser: DevToolsPage, url: str, *, width: int = SCREEN, scheme: str = "light", media: str = ""
) -> None:
    """Opens the page as that device shows it, with all that folds open."""
    await browser.command(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width == PHONE
    )
    await browser.command(
        "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    await browser.open(url)
    await browser.evaluate(OPENED)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, SCREEN])
async def test_the_page_is_accessible(
    browser: DevToolsPage, url: str, npm_installed: Callable[[Path], Path], width: int, scheme: str
) -> None:
    """axe finds no violation of any of its rules, whatever the device and the colours."""
    axe = npm_installed(AXE) / "node_modules" / "axe-core" / "axe.min.js"
    await set_up(browser, url, width=width, scheme=scheme)
    await browser.evaluate(axe.read_text(encoding="utf-8") + ";0")
    found = await browser.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => "
        "[v.id, v.nodes.length, v.nodes[0].html.slice(0, 200), v.nodes[0].failureSummary]))"
    )
    assert found == []


async def test_the_page_asks_nobody(browser: DevToolsPage, url: str) -> None:
    """It asks for itself, and for what it carries within itself."""
    await set_up(browser, url)
    assert [asked for asked in browser.asked if not asked.startswith("data:")] == [url]


async def test_a_phone_need_not_scroll_sideways(browser: DevToolsPage, url: str) -> None:
    """The page is as wide as the phone, with everything folded open; wide tables scroll within themselves."""
    await set_up(browser, url, width=PHONE)
    assert await browser.evaluate("document.documentElement.scrollWidth") == PHONE


async def test_the_page_follows_light_and_dark(browser: DevToolsPage, url: str) -> None:
    """Paper and ink change places."""
    seen = []
    for scheme in ("light", "dark"):
        await set_up(browser, url, scheme=scheme)
        seen.append(await browser.evaluate(
            "[...['backgroundColor', 'color'].map(key => getComputedStyle(document.body)[key].match(/\\d+/)[0] > 128)]"
        ))  # fmt: skip
    assert seen == [[True, False], [False, True]]


async def test_the_page_prints_on_white(browser: DevToolsPage, url: str) -> None:
    """Even where the screen is dark; and a browser makes pages of it."""
    await set_up(browser, url, scheme="dark", media="print")
    assert await browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = await browser.command("Page.printToPDF", printBackground=True)
    assert base64.b64decode(printed["data"]).startswith(b"%PDF-")
