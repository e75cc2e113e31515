"""Runs the checks of the unmodified Python client against a server: see `python main.py --help`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import traceback
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import accounts
import live
import matching
import rows
from report import Report, Suite, SuiteEnd, say
from stage import Stage

Body = Callable[[Stage, Suite], Awaitable[None]]

QUEUED: dict[str, Body] = {
    "matchmaking": matching.matchmaking,
    "signalling": matching.signalling,
    "tokens": live.tokens,
}
"""Suites in which people join the queue: one after the other, or they would meet."""
FREE: dict[str, Body] = {
    "auth": accounts.auth,
    "rest": rows.rest,
    "broadcast": live.broadcast,
    "presence": live.presence,
    "channels": live.channels,
}
"""The others may run side by side."""


async def run(name: str, body: Body, stage: Stage, report: Report) -> None:
    """Runs one suite; what it meets unawares is a failure of its own."""
    try:
        await body(stage, Suite(report, name))
    except SuiteEnd:
        pass
    except Exception:  # noqa: BLE001 — the rim of the script
        report.not_ok(f"{name}: (the script itself)", traceback.format_exc())


async def once(given: argparse.Namespace, report: Report) -> None:
    """All chosen suites, once."""
    stage = Stage(given.supabase_url, given.api_url, given.anon_key, given.engine)
    say(f"# supabase {version('supabase')}, frames 1.0.0, engine {stage.engine}")
    chosen = [name for name in (*QUEUED, *FREE) if not given.suite or name in given.suite]

    async def in_turn() -> None:
        for name in chosen:
            if name in QUEUED:
                await run(name, QUEUED[name], stage, report)

    await asyncio.gather(in_turn(), *(run(name, FREE[name], stage, report) for name in chosen if name in FREE))
    await stage.close()


def main() -> int:
    """Exit status 1 on any failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("supabase-url", "api-url", "anon-key", "engine"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--suite", action="append", choices=[*QUEUED, *FREE])
    parser.add_argument("--times", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the client logs the refusals that we provoke
    report = Report()
    for _ in range(given.times):
        asyncio.run(once(given, report))
    report.close()
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
