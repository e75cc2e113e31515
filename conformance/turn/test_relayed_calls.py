"""TURN-10 and TURN-11: two real peers whom only the relay brings together, by UDP and by TCP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from conformance.outcome import Inconclusive, NotVerified
from conformance.scenario import requires
from conformance.signalling.exchange import calls
from conformance.signalling.peers import meet, opened
from conformance.trial import Trial
from conformance.turn.credentials import Credentials, allocated, breach, given, probe, relay_of

LATE = 2.0


@dataclass(frozen=True)
class ThroughRelay:
    """A place from which a peer asks the relay of these credentials, by one transport."""

    found: Credentials
    uri: str

    @property
    def ice_servers(self) -> tuple[dict[str, str], ...]:
        """The relay, and nothing else."""
        return ({"urls": self.uri, "username": self.found.username, "credential": self.found.password},)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Candidates of this machine's own are not used, so it matters not which there are."""
        yield


@requires("TURN-10")
async def test_turn_10_a_call_through_the_relay_alone(trial: Trial) -> None:
    """Two matched peers that use relay candidates alone connect by UDP, and data goes both ways."""
    await _connects(trial, "udp")


@requires("TURN-11")
async def test_turn_11_the_relay_by_tcp(trial: Trial) -> None:
    """The same, each reaching the relay by TCP."""
    await _connects(trial, "tcp")


async def _connects(trial: Trial, transport: str) -> None:
    found = await given(trial, await trial.shared("turn"))
    _by(found, transport)
    async with probe(relay_of(found), found.username, found.password) as client:
        await allocated(trial, client, "as given")  # whether anybody is there; nobody need be matched to learn that
    ((offerer, answerer),) = await calls(trial, 1)
    await opened(offerer, answerer)
    first, second = trial.people
    mine, his = await given(trial, second.account), await given(trial, first.account)
    places = ThroughRelay(mine, _by(mine, transport)), ThroughRelay(his, _by(his, transport))
    results = await meet(trial, (offerer, answerer), places, relay_only=True)
    if all(result.connected and result.relay_used for result in results):
        trial.vouch()
        return
    if time.time() > min(mine.expires_at, his.expires_at) - LATE:
        raise Inconclusive("we were held up ourselves until the credentials had expired")
    witness = [op for op in trial.ops if op.op == "handshake"]
    came = "; ".join(f"{result.role}: {result.stage} {result.detail}".strip() for result in results)
    raise breach(trial, mine.reply.op, *witness, sent=f"a call through {places[0].uri} alone", came=came)


def _by(found: Credentials, transport: str) -> str:
    """The relay's address by this transport. Raises NotVerified where the credentials have none."""
    for uri in found.uris:
        place, _, query = uri.partition("?transport=")
        if place.startswith("turn:") and (query or "udp") == transport:
            return uri
    raise NotVerified(f"none of the credentials' addresses is a TURN server by {transport.upper()}")
