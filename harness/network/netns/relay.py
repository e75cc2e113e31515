"""coturn on the public host: STUN and TURN by UDP, TCP and TLS, REST credentials, two addresses for RFC 5780."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

from harness.errors import Trouble
from harness.network.certificate import Certificate, certificate_for
from harness.network.nat import TURN_PORT, Turn
from harness.network.netns.keeper import Keeper, Namespace
from harness.network.netns.rules import TABLE

PROGRAM = "turnserver"
ADDRESSES = ("198.18.0.10", "198.18.0.11")
"""Of the network that is set aside for tests of network gear (RFC 2544); the second is for RFC 5780 alone."""
STUN_PORT = 3478
_PORTS = (20000, 60000)
_START_DEADLINE = 15.0
_BINDING = b"\x00\x01\x00\x00\x21\x12\xa4\x42is it there?"
_COUNTED = 28  # bytes of IPv4 and UDP headers, which are no payload
_COUNTERS = f"""table ip {TABLE} {{
  counter sent {{ }}
  counter received {{ }}
  chain out {{ type filter hook output priority filter; udp sport {_PORTS[0]}-{_PORTS[1]} counter name sent; }}
  chain in {{ type filter hook input priority filter; udp dport {_PORTS[0]}-{_PORTS[1]} counter name received; }}
}}
"""


class CoturnRelay:
    """A running coturn in a namespace.

    Raises:
        Trouble: it does not start.
    """

    def __init__(self, keeper: Keeper, at: Namespace) -> None:
        self._keeper, self._at = keeper, at
        self.secret = secrets.token_hex(32)
        self.certificate: Certificate = certificate_for(ADDRESSES)
        keeper.run(at, ["nft", "-f", "-"], _COUNTERS)
        files = {"certificate": self.certificate.pem, "key": self.certificate.key, "settings": _settings(self.secret)}
        self._program = keeper.start(at, [PROGRAM, "-c", "{settings}"], files)
        self._await_ready()

    def credentials(self, user: str, lifetime: int) -> tuple[str, str]:
        """Name and password that it takes for so many seconds (draft-uberti-behave-turn-rest-00)."""
        name = f"{int(time.time()) + lifetime}:{user}"
        return name, base64.b64encode(hmac.digest(self.secret.encode(), name.encode(), hashlib.sha1)).decode()

    def ice_servers(self, turn: Turn, user: str, lifetime: int) -> tuple[Mapping[str, str], ...]:
        """What a peer of this arm is told: STUN always, and TURN as RTCIceServer has it."""
        stun = {"urls": f"stun:{ADDRESSES[0]}:{STUN_PORT}"}
        if turn is Turn.NONE:
            return (stun,)
        name, password = self.credentials(user, lifetime)
        return (stun, {"urls": turn_uri(turn), "username": name, "credential": password})

    @property
    def relayed_bytes(self) -> int:
        """Payload bytes between relayed addresses and peers so far, both ways."""
        listed = json.loads(self._keeper.run(self._at, ["nft", "-j", "list", "counters"]))["nftables"]
        counters = [entry["counter"] for entry in listed if "counter" in entry]
        return sum(int(one["bytes"]) - _COUNTED * int(one["packets"]) for one in counters)

    def _await_ready(self) -> None:
        """Asks it (RFC 8489, Binding) until it answers."""
        deadline = time.monotonic() + _START_DEADLINE
        with self._keeper.socket(self._at, socket.SOCK_DGRAM, (ADDRESSES[1], 0)) as asker:
            asker.settimeout(0.1)
            asker.connect((ADDRESSES[0], STUN_PORT))
            while time.monotonic() < deadline and self._keeper.said(self._program)[1] is None:
                with suppress(ConnectionRefusedError, TimeoutError):
                    asker.send(_BINDING)
                    if asker.recv(2048)[4:8] == _BINDING[4:8]:
                        return
        said = self._keeper.said(self._program)[0].strip() or "it said nothing"
        raise Trouble(f"coturn does not start ({said.splitlines()[-1]})", "mend that, or use the network vnet")


def turn_uri(turn: Turn) -> str:
    """The relay's address for one way of reaching it (RFC 7065)."""
    scheme, transport = ("turns", "tcp") if turn is Turn.TLS else ("turn", turn.value)
    return f"{scheme}:{ADDRESSES[0]}:{TURN_PORT[turn]}?transport={transport}"


def _settings(secret: str) -> str:
    """turnserver.conf; nothing of it is kept on a disk."""
    return "\n".join([
        *(f"listening-ip={address}" for address in ADDRESSES), f"relay-ip={ADDRESSES[0]}",
        f"listening-port={STUN_PORT}", f"tls-listening-port={TURN_PORT[Turn.TLS]}",
        f"min-port={_PORTS[0]}", f"max-port={_PORTS[1]}", "realm=gurukul.invalid", "fingerprint",
        "use-auth-secret", f"static-auth-secret={secret}", "cert={certificate}", "pkey={key}",
        "no-cli", "no-dtls", "relay-threads=1", "pidfile=/dev/null", "userdb=:memory:", "log-file=stdout", "simple-log",
    ]) + "\n"  # fmt: skip
