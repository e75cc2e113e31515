"""The tab in Locust's web page, in a real browser, while a swarm runs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.lab.chromium import running_chromium
from harness.lab.database import throwaway_database
from harness.lab.devtools import DevToolsPage
from harness.lab.server import running_server
from harness.target import Budgets, Target, dump_target

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
PATIENCE = 200.0
PRESS = """
(() => { const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
  const fill = (name, value) => { const field = document.querySelector(`input[name="${name}"]`);
    set.call(field, value); field.dispatchEvent(new Event('input', {bubbles: true})); };
  fill('userCount', '60'); fill('spawnRate', '60');
  [...document.querySelectorAll('button')].find(button => button.type === 'submit').click(); })()
"""
"""Fills Locust's form and presses its button, as a person does."""
CHOOSE = "[...document.querySelectorAll('[role=tab]')].find(tab => tab.textContent.trim() === 'Gurukul').click()"
INSIDE = "document.getElementById('gurukul').contentDocument"


@pytest.fixture
async def documented(postgres_url: str, tmp_path: Path) -> AsyncIterator[Target]:
    """The documented engine, which leaves users waiting in a burst, polled often."""
    async with (
        throwaway_database(postgres_url) as database_url,
        running_server("documented", database_url, tmp_path / "server.log") as server,
    ):
        yield Target(
            name="documented", api_url=server.api_url, supabase_url=server.supabase_url, anon_key=server.anon_key,
            budgets=Budgets(poll_interval=0.5, match=0.5, notify=0.5, tolerance=0.25),
        )  # fmt: skip


@dataclass
class Served:
    """Locust with its web page."""

    url: str
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    async def listening(self) -> None:
        port = int(self.url.rpartition(":")[2])
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.1)


@pytest.fixture
async def served(documented: Target, tmp_path: Path) -> AsyncIterator[Served]:
    """`locust -f locustfiles/burst.py` at a free port, as a person starts it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (tmp_path / "t.toml").write_text(dump_target(documented))
    served = Served(f"http://127.0.0.1:{port}", tmp_path / "locust.log")
    with served.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles" / "burst.py"), "--web-host=127.0.0.1",
            f"--web-port={port}", f"--target={tmp_path / 't.toml'}", "--host=http://127.0.0.1",
            "--arrivals=burst:12/0.05s@1.5s*60", "--talk=1:2", "--peer-share=0.3", "--lead=2", "--drain=2",
            cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log,
            stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    try:
        await served.listening()
        yield served
    finally:
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 30)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[DevToolsPage]:
    async with running_chromium(tmp_path / "chromium.log") as tools:
        page = await tools.page()
        await page.command(
            "Emulation.setDeviceMetricsOverride", width=1280, height=1400, deviceScaleFactor=1, mobile=False
        )
        yield page


WAIT = """
new Promise(found => { const until = Date.now() + 20000; const look = () => {
  let value; try { value = CONDITION } catch {}
  value || Date.now() > until ? found(value) : setTimeout(look, 100) }; look() })
"""


async def until(browser: DevToolsPage, condition: str, served: Served) -> Any:
    """Waits until a condition holds in the page; gives its value."""
    for _ in range(10):  # the browser must answer within 30 s
        if value := await browser.evaluate(WAIT.replace("CONDITION", condition)):
            return value
    text = await browser.evaluate("document.body.innerText")
    pytest.fail(f"never in the page: {condition}\n{text[-2000:]}\n{served.said()[-2000:]}")


def inside(expression: str) -> str:
    return f"{INSIDE}.{expression}"


async def test_the_tab_shows_a_run_as_it_goes(served: Served, browser: DevToolsPage, tmp_path: Path) -> None:
    """Started by Locust's own form: its tab opens, its charts appear and move, and findings show before it is over."""
    await browser.open(served.url)
    await until(browser, "document.querySelector('input[name=userCount]')?.name", served)
    await browser.evaluate(PRESS)
    await until(browser, "[...document.querySelectorAll('[role=tab]')].length > 5", served)
    await browser.evaluate(CHOOSE)
    line = inside("querySelector('#chart-correct polyline')?.getAttribute('points')")
    first = await until(browser, line, served)
    await until(browser, f"({line} ?? '{first}') !== '{first}'", served)
    await until(browser, inside("querySelectorAll('#findings tr').length"), served)
    under_way = await browser.evaluate(inside("getElementById('state').textContent"))
    assert under_way.startswith("Under way"), under_way
    frame = await browser.evaluate("document.getElementById('gurukul').getBoundingClientRect().toJSON()")
    assert frame["top"] < 200, frame
    assert frame["height"] > 1000, frame
    shot = base64.b64decode((await browser.command("Page.captureScreenshot"))["data"])
    (tmp_path / "tab.png").write_bytes(shot)
    await until(browser, inside("getElementById('state').textContent.startsWith('Over')"), served)
    said = await browser.evaluate(inside("body.innerText"))
    assert re.search(r"told by push\n+[1-9]", said), said
    assert re.search(r"users who wait\n+0", said), said
    assert "offer received" in said
    assert re.search(r"\d+ of \d+ pairs with WebRTC peers connected", said), said
    findings = await browser.evaluate(f"[...{INSIDE}.querySelectorAll('#findings tr')].map(row => row.innerText)")
    assert all(re.match(r"(MM|SG)-[A-Z]*\d+\s", finding) for finding in findings), findings
    assert {url for url in browser.asked if not url.startswith((served.url, "data:"))} == set()
    assert "Traceback" not in served.said()


async def test_another_tab_hides_it(served: Served, browser: DevToolsPage) -> None:
    """The page of a run lies in its own tab alone, and by itself at /gurukul before any run."""
    await browser.open(f"{served.url}/gurukul")
    await until(browser, "document.getElementById('state').textContent.startsWith('No run yet (ready')", served)
    await browser.open(f"{served.url}/?tab=gurukul")
    await until(browser, "document.querySelector('input[name=userCount]')?.name", served)
    assert await browser.evaluate("document.getElementById('gurukul')") is None
    await browser.evaluate(PRESS)
    await until(browser, "document.getElementById('gurukul')?.id", served)
    await browser.evaluate("document.querySelector('[role=tab]').click()")
    await until(browser, "document.getElementById('gurukul') === null", served)
