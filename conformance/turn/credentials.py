"""The credentials that a target gives its users for the relay, and the relay that they are for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.outcome import Breach, NotOffered, NotVerified, broken
from conformance.trial import Trial
from conformance.wire.http import Caller, Reply
from harness.client.dialect import Account
from harness.history.op import Op, Via

if TYPE_CHECKING:
    from harness.peer.turn_probe import Refusal, TurnProbe, TurnServer

PATH = "/turn/credentials"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user is given (draft-uberti-behave-turn-rest), and our clock when it came (Unix seconds)."""

    username: str
    password: str
    ttl: int
    uris: tuple[str, ...]
    at: float
    reply: Reply

    @property
    def expires_at(self) -> int:
        """The time that the user name carries, in Unix seconds; 0 where it carries none."""
        head = self.username.partition(":")[0]
        return int(head) if head.isdigit() else 0


async def ask(trial: Trial, caller: Caller) -> Reply:
    """`GET /api/turn/credentials` with the caller's token, or with none. Raises NotOffered where the target says so."""
    if not trial.target.capabilities.turn:
        raise NotOffered("the target file says that there is no TURN server (capabilities.turn)")
    token = caller.access_token if isinstance(caller, Account) else caller
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return await trial.http.send("GET", trial.target.api_url + PATH, caller, headers=headers, pages=True)


async def given(trial: Trial, account: Account) -> Credentials:
    """The user's credentials. Raises NotVerified where the target gives none."""
    found = _read(reply := await ask(trial, account))
    if found is None:
        raise NotVerified(f"the target gives no TURN credentials ({reply.status}, see TURN-1)")
    return found


def read(reply: Reply) -> Credentials | None:
    """The credentials in an answer; None where they are not of their shape."""
    found = _read(reply)
    return found if found is not None and found.ttl > 0 else None


def _read(reply: Reply) -> Credentials | None:
    """The same, with a ttl of 0 where there is none: what it says of itself is TURN-3's to judge."""
    body: Any = reply.json if reply.status == 200 else None
    if not isinstance(body, dict):
        return None
    username, password, ttl, uris = (body.get(key) for key in ("username", "password", "ttl", "uris"))
    texts = isinstance(username, str) and isinstance(password, str) and username and password
    listed = isinstance(uris, list) and uris and all(isinstance(uri, str) for uri in uris)
    if not texts or not listed:
        return None
    lifetime = ttl if isinstance(ttl, int) else 0
    return Credentials(str(username), str(password), lifetime, tuple(uris or ()), time.time(), reply)


def relay_of(credentials: Credentials) -> TurnServer:
    """The relay that the credentials are for, by UDP. Raises NotVerified where we cannot speak to it."""
    try:
        from harness.peer.turn_probe import TurnServer
    except ModuleNotFoundError as error:
        raise NotVerified(f"{error.name} is not installed: pip install 'gurukul-harness[peers]'") from None
    servers = [TurnServer.of(uri) for uri in credentials.uris if uri.startswith("turn:")]
    relay = next((server for server in servers if server.transport == "udp"), None)
    if relay is None:
        raise NotVerified("none of the credentials' addresses is a TURN server by UDP, the only way that we speak")
    return relay


def probe(server: TurnServer, username: str, password: str) -> TurnProbe:
    """A client of the relay."""
    from harness.peer.turn_probe import TurnProbe

    return TurnProbe(server, username, password)


async def allocated(trial: Trial, client: TurnProbe, what: str) -> tuple[Refusal | None, Op]:
    """Asks for a relay; what came of it, and the op that says so. Raises NotVerified where nobody answers."""
    from harness.peer.turn_probe import NoRelay

    call = trial.recorder().begin("", "wire", "turn", Via.RTC, request="Allocate", credentials=what)
    try:
        refusal = await client.allocate()
    except NoRelay as reason:
        call.broke(reason)
        raise NotVerified(f"the relay is out of reach: {reason}") from None
    op = (
        call.ok(relayed=f"{client.relayed[0]}:{client.relayed[1]}")
        if refusal is None
        else call.fail(error=str(refusal))
    )
    return refusal, op


def breach(trial: Trial, *ops: Op, sent: str, came: str) -> Breach:
    """The trial's requirement is broken, as these ops show."""
    return broken(trial.requirement.id, sent=sent, came=came, witness=ops)
