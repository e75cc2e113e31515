"""The opening handshake of a WebSocket as a client writes it and as a server answers it. No I/O."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from conformance.wire.http import redacted

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What the accept value is made with (RFC 6455 section 1.3)."""
KEY = base64.b64encode(b"conformance-test").decode()
"""Our Sec-WebSocket-Key: sixteen bytes (RFC 6455 section 4.1)."""

_COOKIE = re.compile(r"(?im)^(cookie: )[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Handshake:
    """How a target answered the opening handshake; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def upgraded(self) -> bool:
        """Whether there is a WebSocket now."""
        return self.status == 101

    @property
    def json(self) -> Any:
        """The body of a refusal as JSON; None where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def described(self) -> str:
        """Status and body, for a person."""
        return redacted(f"{self.status} {self.body.decode(errors='replace')}".strip())


def request(address: str, host: str, headers: Mapping[str, str | None]) -> bytes:
    """The upgrade request for an address (path and query). `headers` adds to the usual ones; None leaves one out."""
    usual: dict[str, str | None] = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    lines = [f"{name}: {value}" for name, value in {**usual, **headers}.items() if value is not None]
    return "\r\n".join([f"GET {address} HTTP/1.1", *lines, "", ""]).encode()


def read_head(head: bytes) -> Handshake:
    """Status and headers of an answer, up to and with the empty line. Raises ValueError for what is no HTTP/1.1."""
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    version, _, rest = first.partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ValueError(f"not an HTTP/1.1 answer: {first[:60]!r}")
    pairs = (line.partition(":") for line in lines)
    return Handshake(int(status), {name.strip().lower(): value.strip() for name, _, value in pairs})


def accept_value(key: str = KEY) -> str:
    """What Sec-WebSocket-Accept must say (RFC 6455 section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(f"{key}{GUID}".encode()).digest()).decode()  # noqa: S324 — the standard's


def shown(asked: bytes) -> str:
    """A request as evidence: without keys, tokens and cookies."""
    return redacted(_COOKIE.sub(r"\1(redacted)", asked.decode()))
