"""TURN-1 to TURN-4 and TURN-9: who is given credentials, and what they are."""

from __future__ import annotations

import re

from conformance.scenario import requires
from conformance.trial import Trial
from conformance.turn.credentials import ask, given, read

LONGEST = 86_400
"""Seconds for which credentials may be good: a day."""
SKEW = 30.0
"""Seconds by which the target's clock may differ from ours."""
_URI = re.compile(r"(turns?|stuns?):(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d+)?(\?transport=(udp|tcp))?")


@requires("TURN-1")
async def test_turn_1_credentials_are_offered(trial: Trial) -> None:
    """A signed-in user is given a name, a password, for how long they are good, and where."""
    reply = (await ask(trial, await trial.shared("turn"))).expect(200)
    found = read(reply)
    reply.must(found, f"{reply.described} instead of {{username, password, ttl, uris}}")
    uris = found.uris if found is not None else ()
    odd = [uri for uri in uris if not _URI.fullmatch(uri)]
    reply.must(not odd, f"addresses {odd} that are none of RFC 7065")
    reply.must(any(uri.startswith("turn") for uri in uris), f"addresses {list(uris)} without a TURN server")


@requires("TURN-2")
async def test_turn_2_only_for_those_who_are_signed_in(trial: Trial) -> None:
    """Without a token, with the anon key, and with a forged token there are no credentials: 401."""
    account = await trial.shared("turn")
    await given(trial, account)
    head, _, signature = account.access_token.rpartition(".")
    for caller in (None, trial.target.anon_key, f"{head}.{signature[::-1]}"):
        reply = await ask(trial, caller)
        reply.expect(401)
        reply.must(read(reply) is None and b"password" not in reply.raw, f"{reply.described} with credentials in it")


@requires("TURN-3")
async def test_turn_3_good_for_a_while(trial: Trial) -> None:
    """The name carries the time until which it is good: `ttl` seconds from now, and a day at most."""
    found = await given(trial, await trial.shared("turn"))
    reply = found.reply
    reply.must(found.expires_at, f"the user name {found.username!r}, which carries no time")
    reply.must(0 < found.ttl <= LONGEST, f"credentials for {found.ttl} s")
    off = found.expires_at - (found.at + found.ttl)
    reply.must(abs(off) <= SKEW, f"a name that is good for {off:+.0f} s more than the ttl of {found.ttl} s says")


@requires("TURN-4")
async def test_turn_4_each_user_has_his_own(trial: Trial) -> None:
    """Two users are given different names and different passwords."""
    first = await given(trial, await trial.shared("turn"))
    second = await given(trial, await trial.shared("turn-2"))
    different = first.username != second.username and first.password != second.password
    second.reply.must(different, f"the credentials of another user, {first.username!r}")


@requires("TURN-9")
async def test_turn_9_credentials_are_not_kept(trial: Trial) -> None:
    """The answer with the credentials may not be stored on its way, nor in the browser."""
    reply = (await given(trial, await trial.shared("turn"))).reply
    said = reply.headers.get("cache-control", "")
    reply.must("no-store" in said.lower(), f"Cache-Control {said!r}")
