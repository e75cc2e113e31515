"""TURN-5 to TURN-8: what the relay does with good, forged and expired credentials, and where it relays to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from conformance.outcome import Inconclusive, NotVerified
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.turn.credentials import Credentials, allocated, breach, given, probe, relay_of
from harness.history.op import Op, Via

if TYPE_CHECKING:
    from harness.peer.turn_probe import Refusal

SPECIAL = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.254", "192.0.0.1", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "100::1", "2001:db8::1", "2002:7f00:1::", "fc00::1", "fd00:ec2::254", "fe80::1", "febf::1",
    "fec0::1", "ff02::1",
)  # fmt: skip
"""Addresses that must not be reached (RFC 6890 and the registries after it): this machine, private networks, the
cloud's own, documentation, broadcasts; and the same hidden in IPv6 (mapped, compatible, NAT64, 6to4)."""
LONGEST_WAIT = 150.0
"""Seconds that we wait for credentials to expire."""
LATE = 2.0
UNAUTHORIZED = 401


@requires("TURN-5")
async def test_turn_5_the_relay_relays(trial: Trial) -> None:
    """With the credentials the relay gives an address, and carries data to a peer and back."""
    found = await given(trial, await trial.shared("turn"))
    relay = relay_of(found)
    async with probe(relay, found.username, found.password) as client, probe(relay, "", "") as peer:
        refusal, op = await allocated(trial, client, "as given")
        if refusal is not None and time.time() > found.expires_at - LATE:
            raise Inconclusive("we were held up ourselves until the credentials had expired")
        if refusal is not None:
            raise breach(trial, found.reply.op, op, sent="Allocate with the credentials", came=f"{refusal}")
        refused = await client.permit(peer.address[0] if _is_here(relay.host) else client.mapped[0])
        if refused is not None:
            raise breach(trial, op, sent="a permission for a peer at our own address", came=f"{refused}")
        if not _is_here(relay.host):
            raise NotVerified("a peer of ours cannot be reached from this relay: the address is behind a NAT")
        client.send(b"there", peer.address)
        there = await peer.until(lambda: (b"there", client.relayed) in peer.datagrams)
        peer.send_past(b"back", client.relayed)
        back = await client.until(lambda: any(data == b"back" for data, _ in client.data))
        if not (there and back):
            way = "from the peer" if there else "to the peer"
            raise breach(trial, op, sent="data through the relay, both ways", came=f"nothing arrived on the way {way}")
    trial.vouch()


@requires("TURN-6")
async def test_turn_6_forged_credentials(trial: Trial) -> None:
    """Another password, a later expiry, and another user's name with this one's password are refused: 401."""
    found = await given(trial, await trial.shared("turn"))
    await _works(trial, found)
    user = found.username.partition(":")[2]
    for username, password, what in (
        (found.username, found.password[::-1], "another password"),
        (f"{found.expires_at + 86_400}:{user}", found.password, "a later expiry"),
        (f"{found.expires_at}:somebody-else", found.password, "another user's name"),
    ):
        await _is_refused(trial, found, username, password, what)


@requires("TURN-7")
async def test_turn_7_expired_credentials(trial: Trial) -> None:
    """Credentials that worked are refused when their time is over: 401."""
    found = await given(trial, await trial.shared("turn"))
    await _works(trial, found)
    left = max(found.expires_at - time.time(), found.ttl - (time.time() - found.at))
    if left > LONGEST_WAIT:
        raise NotVerified(f"the credentials are good for {found.ttl} s, longer than this run waits")
    async with trial.waiting():
        await asyncio.sleep(left + LATE)
    await _is_refused(trial, found, found.username, found.password, f"{LATE:.0f} s after they expired")


@requires("TURN-8")
async def test_turn_8_no_relay_to_special_addresses(trial: Trial) -> None:
    """A permission, or a channel, for this machine, private networks or the cloud's own addresses: each is refused.

    Nothing is sent there: to be allowed to is all that is asked for.
    """
    found = await given(trial, await trial.shared("turn"))
    relay = relay_of(found)
    async with probe(relay, found.username, found.password) as client:
        refusal, op = await allocated(trial, client, "as given")
        if refusal is not None:
            raise NotVerified(f"the relay refuses the credentials ({refusal}, see TURN-5)")
        for number, address in enumerate(SPECIAL):
            await _is_shut(trial, op, "CreatePermission", address, client.permit(address))
            await _is_shut(trial, op, "ChannelBind", address, client.bind(number, address))
    trial.vouch()


async def _is_shut(trial: Trial, relay: Op, request: str, address: str, asking: Awaitable[Refusal | None]) -> None:
    refused = await asking
    said = "given" if refused is None else str(refused)
    asked = trial.recorder().saw("", "wire", "turn", Via.RTC, request=request, peer=address, answer=said)
    if refused is None:
        raise breach(trial, relay, asked, sent=f"{request} for {address}", came="it was given")


async def _works(trial: Trial, found: Credentials) -> Op:
    """The positive control: the credentials as they were given are taken."""
    async with probe(relay_of(found), found.username, found.password) as client:
        refusal, op = await allocated(trial, client, "as given")
    if refusal is not None:
        raise NotVerified(f"the relay refuses the credentials as they were given ({refusal}, see TURN-5)")
    return op


async def _is_refused(trial: Trial, found: Credentials, username: str, password: str, what: str) -> None:
    async with probe(relay_of(found), username, password) as client:
        refusal, op = await allocated(trial, client, what)
    if refusal is None or refusal.code != UNAUTHORIZED:
        came = "a relay was given" if refusal is None else f"{refusal}"
        raise breach(trial, found.reply.op, op, sent=f"Allocate with the credentials, {what}", came=came)
    trial.vouch()


def _is_here(host: str) -> bool:
    """Whether the relay is on this machine, so that a peer of ours is at an address that it reaches."""
    return host.startswith("127.") or host in {"::1", "localhost"}
