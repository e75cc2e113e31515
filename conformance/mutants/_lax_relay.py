"""A TURN server that gives out addresses and permissions and relays nothing; what it does not check, a mutant says."""

from __future__ import annotations

import ipaddress
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aioice import stun
from aioice.turn import make_integrity_key

from reference_server.mutation import Mutation
from reference_server.turn.credentials import Relay, password_of

HOST = "127.0.0.1"
REALM = "lax.invalid"
_SECRET = "the secret of the two"  # noqa: S105 - of a relay that relays nothing
_LIFETIME = 30
"""Seconds for which credentials are good, so that their end can be waited for."""
_NONCE = b"a nonce that is good for ever"
_UNAUTHORIZED, _FORBIDDEN = (401, "Unauthorized"), (403, "Forbidden")


@dataclass(frozen=True, slots=True)
class Checks:
    """What the relay looks at."""

    name: bool = True
    """Whether the password must be that of the name (RFC draft uberti-behave-turn-rest); else one is good for all."""
    expiry: bool = True
    peers: bool = True


Given = dict[str, Any]


def relaying(server: Mutation, checks: Checks = Checks(), change: Callable[[Given], Given] = lambda it: it) -> None:
    """The credentials that the server gives are for such a relay, in a thread of its process.

    Args:
        server: what is changed.
        checks: what the relay looks at.
        change: makes of the right answer with the credentials what is given.
    """
    server.set(turn_secret=_SECRET, turn_uris=f"turn:{HOST}:9?transport=udp", turn_ttl=_LIFETIME)
    started: dict[str, str] = {}

    def leading_there(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def credentials(relay: Any, user: str, now: float) -> dict[str, Any]:
            given = original(relay, user, now)
            if "uri" not in started:
                started["uri"] = _start(_Answering(checks, relay.secret))
            password = _password(given["username"], relay.secret, checks)
            return change({**given, "password": password, "uris": [started["uri"]]})

        return credentials

    server.wrap(Relay, "credentials", leading_there)


def _password(username: str, secret: str, checks: Checks) -> str:
    return password_of(username if checks.name else "everybody", secret)


def _start(answering: _Answering) -> str:
    """Serves until the process ends; where."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, socket = self.request
            answer = answering.answer(data, self.client_address)
            if answer is not None:
                socket.sendto(bytes(answer), self.client_address)

    relay = socketserver.ThreadingUDPServer((HOST, 0), Handler)
    threading.Thread(target=relay.serve_forever, name="lax relay", daemon=True).start()
    return f"turn:{HOST}:{relay.server_address[1]}?transport=udp"


class _Answering:
    """What is answered to each request."""

    def __init__(self, checks: Checks, secret: str) -> None:
        self._checks = checks
        self._secret = secret

    def answer(self, data: bytes, client: tuple[str, int]) -> stun.Message | None:
        """The answer to a datagram; None to what is no request of STUN."""
        try:
            request = stun.parse_message(data)
        except ValueError:
            return None
        if request.message_class is not stun.Class.REQUEST:
            return None
        username = str(request.attributes.get("USERNAME", ""))
        key = make_integrity_key(username, REALM, _password(username, self._secret, self._checks))
        if not username or not request.check_message_integrity(key) or self._is_expired(username):
            challenge = {"ERROR-CODE": _UNAUTHORIZED, "REALM": REALM, "NONCE": _NONCE}
            return _response(request, stun.Class.ERROR, challenge)
        refused = self._checks.peers and not _is_public(request.attributes.get("XOR-PEER-ADDRESS"))
        answer = (
            _response(request, stun.Class.ERROR, {"ERROR-CODE": _FORBIDDEN})
            if refused
            else _response(request, stun.Class.RESPONSE, self._given(request, client))
        )
        answer.add_message_integrity(key)
        return answer

    def _is_expired(self, username: str) -> bool:
        head = username.partition(":")[0]
        return self._checks.expiry and head.isdigit() and int(head) < time.time()

    def _given(self, request: stun.Message, client: tuple[str, int]) -> dict[str, Any]:
        if request.message_method is not stun.Method.ALLOCATE:
            return {}
        return {"XOR-RELAYED-ADDRESS": (HOST, 9), "XOR-MAPPED-ADDRESS": client, "LIFETIME": 600}


def _response(request: stun.Message, class_: stun.Class, attributes: dict[str, Any]) -> stun.Message:
    return stun.Message(request.message_method, class_, request.transaction_id, attributes)


def _is_public(peer: tuple[str, int] | None) -> bool:
    return peer is None or ipaddress.ip_address(peer[0]).is_global
