"""A flood: one user who joins as fast as he is answered, and takes no refusal to heart."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from harness.actor.persona import Flood
from harness.actor.quiet import QuietTime
from harness.client.participant import Participant


async def flood(participant: Participant, plan: Flood, mode: str, lasts: float, quiet: QuietTime) -> None:
    """Joins in several streams for some seconds, or until the quiet time begins; then he leaves.

    Each join is an op of its own. What he is matched with he neither looks at nor answers; his next accepted join ends
    it, as it does for every client, and so does his end at the last.
    """

    async def stream() -> None:
        while True:
            await participant.join(mode, wait_out_limits=False)
            await asyncio.sleep(plan.pace)

    streams = [asyncio.create_task(stream()) for _ in range(plan.streams)]
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(lasts):
                await quiet.begun.wait()
        broken = next((one for one in streams if one.done()), None)
        if broken is not None:
            broken.result()
    finally:
        for one in streams:
            one.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    await participant.leave()
    session = await participant.poll()
    if session is not None:
        await participant.end(session.id)
