"""LIM-1 to LIM-8: how often one user may join, what he is told, when it is over, what it costs the others."""

from __future__ import annotations

import asyncio
import math

from conformance.limits.flood import ALLOWED, JOINS, barely_limited, flood, join, limited
from conformance.outcome import Inconclusive, broken
from conformance.scenario import requires
from conformance.trial import CADENCE, Trial, together
from harness.checkers.telling import short
from harness.client.participant import Participant

HUGE = 5_000_000
"""Bytes of a body; an SDP with all its candidates is under 10,000."""
AT_ONCE, PACE = 8, 0.02
"""How the flood goes on: so many joins at once, each again so many seconds after its refusal."""
ATTEMPTS = 3
PATIENCE, SLOWER = 10.0, 3.0
"""Seconds for a match without a flood, and how much longer it may take in one (never less than the `match` budget)."""


@requires("LIM-1")
async def test_lim_1_ten_joins_a_minute(trial: Trial) -> None:
    """Of two dozen joins at once at most ten are taken; the others are answered 429."""
    person = await trial.enter()
    async with trial.queue():
        made = await flood(trial, person)
    if made.seconds >= trial.budgets.join_window:
        raise Inconclusive(f"{JOINS} joins took {made.seconds:.1f} s, longer than the time in which they are counted")
    taken, refused = len(made.accepted), len(made.refused)
    other = len(made.replies) - taken - refused
    came = f"of {len(made.replies)} such joins at once {taken} were taken, {refused} answered 429, {other} otherwise"
    made.replies[-1].must(taken <= ALLOWED and refused, came)


@requires("LIM-2")
async def test_lim_2_what_a_refusal_says(trial: Trial) -> None:
    """A refusal is 429 with the application's own words, and Retry-After is a whole number of seconds."""
    person = await trial.enter()
    async with trial.queue():
        made = await limited(trial, person)
    most = math.ceil(trial.budgets.join_window)
    for reply in made.refused:
        asked = reply.headers.get("retry-after", "")
        whole = asked.isdigit() and 1 <= int(asked) <= most
        reply.must(whole, f"429 with Retry-After {asked!r}, not a whole number from 1 to {most}")
        reply.must(reply.json == {"error": "Too many attempts. Please wait."}, f"{reply.described} as a refusal")


@requires("LIM-3")
async def test_lim_3_the_limit_is_the_users_own(trial: Trial) -> None:
    """While one user may not join, another from the same address may."""
    person, other = await trial.crowd(2)
    async with trial.queue():
        await limited(trial, person)
        came = await other.join(wait_out_limits=False)
        still = await join(trial, person)
        still.must(
            came.ok, f"the join of user {short(other.user)}, who had not joined before, was answered {came.status}"
        )
        if still.status != 429:
            raise Inconclusive("the first user's limit was over before the other had joined")


@requires("LIM-4")
async def test_lim_4_a_new_token_is_no_new_allowance(trial: Trial) -> None:
    """Who refreshes his token is the same user: he still may not join."""
    person = await trial.enter()
    async with trial.queue():
        await limited(trial, person)
        body = {"refresh_token": person.account.refresh_token}
        fresh = (await trial.http.auth("POST", "token?grant_type=refresh_token", body=body)).json
        token = fresh.get("access_token") if isinstance(fresh, dict) else None
        if not isinstance(token, str):
            raise Inconclusive("the user's token could not be refreshed")
        (await join(trial, person, token)).expect(429)


@requires("LIM-5")
async def test_lim_5_the_limit_forgets(trial: Trial) -> None:
    """Who waits for as long as Retry-After says may join again."""
    person = await trial.enter()
    async with trial.queue():
        made = await limited(trial, person)
    if made.wait > trial.budgets.join_window + 1:
        raise Inconclusive("the refusal does not say for how long (see LIM-2)")
    async with trial.waiting():
        await asyncio.sleep(made.wait)
    async with trial.queue():
        (await join(trial, person)).expect(200)
        await trial.retire([person])


@requires("LIM-6")
async def test_lim_6_a_refused_join_takes_no_effect(trial: Trial) -> None:
    """A user who has left, and whose join is refused, does not stand in the queue, and is not matched."""
    person, other = await trial.crowd(2)
    async with trial.queue():
        await limited(trial, person)
        refused = await join(trial, person)
        if refused.status != 429:
            raise Inconclusive("the limit was over before the user joined again")
        rows = await trial.http.rest("GET", f"waiting_queue?select=id&user_id=eq.{person.user}", person.account)
        rows.must(rows.json == [], f"{rows.described} after a join that was answered 429")
        await other.join()
        seen = await trial.observe([other], trial.patience)
        refused.must(not seen, f"user {short(other.user)} was matched with the one who was refused")


@requires("LIM-7")
async def test_lim_7_a_flood_costs_nobody_his_match(trial: Trial) -> None:
    """While one user goes on flooding, two others join and are matched in time: about as soon as without the flood."""
    for _ in range(ATTEMPTS):
        flooder, first, second = await trial.crowd(3)
        async with trial.queue():
            usual = await _meet(trial, first, second, PATIENCE)
            await trial.retire([first, second])
            await barely_limited(trial, flooder)
            allowed = max(trial.patience, SLOWER * usual)
            took = await _meet_in_a_flood(trial, flooder, first, second, allowed)
        if took is None:
            continue  # the flood was let in again before the others met: it says nothing
        if took > allowed:
            joins = [op for op in trial.ops if op.op == "join" and op.user in {first.user, second.user}]
            came = (
                f"two others who joined meanwhile were not matched within {allowed:.1f} s (without it in {usual:.1f} s)"
            )
            raise broken("LIM-7", sent=f"user {short(flooder.user)} went on joining", came=came, witness=joins)
        trial.vouch()
        return
    raise Inconclusive("the limit was over each time before the others were matched")


@requires("LIM-8")
async def test_lim_8_bodies_that_are_too_large(trial: Trial) -> None:
    """A join with a body of five megabytes is answered 413, and takes no effect."""
    person = await trial.enter()
    async with trial.queue():
        body = b'{"matchMode": "global", "x": "' + b"x" * HUGE + b'"}'
        headers = {"authorization": f"Bearer {person.account.access_token}"}
        url = f"{trial.target.api_url}/matching/join"
        reply = await trial.http.send("POST", url, person.account, headers=headers, body=body, pages=True)
        reply.expect(413)
        rows = await trial.http.rest("GET", f"waiting_queue?select=id&user_id=eq.{person.user}", person.account)
        rows.must(rows.json == [], f"{rows.described} after a join that was answered 413")


async def _meet_in_a_flood(
    trial: Trial, flooder: Participant, first: Participant, second: Participant, allowed: float
) -> float | None:
    """As `_meet`, while the flooder goes on; None where his joins were taken again before that said anything."""
    under_way = asyncio.Event()
    flooding = asyncio.create_task(_go_on(trial, flooder, under_way))
    await under_way.wait()
    began = asyncio.get_running_loop().time()
    try:
        took = await _meet(trial, first, second, allowed)
    finally:
        flooding.cancel()
        (over,) = await asyncio.gather(flooding, return_exceptions=True)
    cut_short = isinstance(over, float) and over < began + min(took, allowed)
    return None if cut_short else took


async def _meet(trial: Trial, first: Participant, second: Participant, patience: float) -> float:
    """Both join at once; the seconds until both have seen their match, infinite where they have not in time."""
    clock = asyncio.get_running_loop().time
    began = clock()
    await together(first.join, second.join)
    seen = await trial.observe([first, second], max(CADENCE, began + patience - clock()))
    return clock() - began if len(seen) == 2 else math.inf


async def _go_on(trial: Trial, person: Participant, under_way: asyncio.Event) -> float:
    """Joins again whenever he is refused; returns the time when a join was not, if that comes before he is stopped."""

    async def stream() -> None:
        while (await join(trial, person)).status == 429:
            under_way.set()
            await asyncio.sleep(PACE)

    streams = [asyncio.create_task(stream()) for _ in range(AT_ONCE)]
    try:
        await asyncio.wait(streams, return_when=asyncio.FIRST_COMPLETED)
        return asyncio.get_running_loop().time()
    finally:
        under_way.set()
        for one in streams:
            one.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
