"""Two instances behind one address: users of one meet users of the other, and the loss of one costs one request."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from harness.cli.claims.claim import Place
from harness.cli.claims.experiments.company import Calls
from harness.client.participant import Participant, Transport
from harness.history.recorder import Recorder
from harness.lab.instances import running_instances
from harness.target import Target

_AFTER = 10
_PATIENCE = 8.0


@dataclass(frozen=True)
class ServingFacts:
    """Pairs whose members spoke to different instances, and requests after one was killed."""

    pairs: int
    matched: int
    """Pairs whose members were both told of the same session."""
    requests: int
    failed: int
    """Requests, each on a connection of its own, that failed after an instance had been killed."""
    failed_last: bool
    """Whether the last of them did."""


async def serving(place: Place) -> ServingFacts:
    """Every user has connections of his own, which a balancer deals out in turn."""
    pairs = place.size(6, 4)
    folder = place.folder.logs / f"instances-{place.engine}"
    folder.mkdir(parents=True, exist_ok=True)
    async with running_instances(place.engine, place.cluster, folder, count=2) as instances, AsyncExitStack() as stack:
        people = [await _entered(stack, instances.target) for _ in range(2 * pairs + _AFTER)]
        calls = Calls(instances.urls, documented=place.engine == "documented")
        met = [await _met(calls, *people[2 * pair : 2 * pair + 2]) for pair in range(pairs)]
        await instances.kill(0)
        ok = [(await person.join()).ok for person in people[2 * pairs :]]
    return ServingFacts(pairs, sum(met), len(ok), ok.count(False), not ok[-1])


async def _entered(stack: AsyncExitStack, target: Target) -> Participant:
    transport = await stack.enter_async_context(Transport(target))
    person = await Participant.enter(transport, Recorder([]))
    stack.push_async_callback(person.close)
    return person


async def _met(calls: Calls, one: Participant, other: Participant) -> bool:
    """Two users, one after the other: the documented engine has no excuse. Whether both learn of one session."""
    await calls.join(one)
    first = asyncio.create_task(one.next_match(_PATIENCE))
    await calls.join(other)
    sessions = [await first, await other.next_match(_PATIENCE)]
    return sessions[0] is not None and sessions[1] is not None and sessions[0].id == sessions[1].id
