"""A TURN server for a deployment: coturn on one loopback address of its own, where the machine has it."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import Trouble
from harness.lab.blocking import finished
from harness.lab.folder import make_folder
from harness.lab.warden import Spec, Warden

PROGRAM = "turnserver"
ADDRESS = "127.77.0.1"
"""Where it listens, relays from, and may relay to: peers of a test live there, and nothing else of this machine."""
REALM = "gurukul.invalid"
SPECIAL = (
    "0.0.0.0-0.255.255.255", "10.0.0.0-10.255.255.255", "100.64.0.0-100.127.255.255", "127.0.0.0-127.255.255.255",
    "169.254.0.0-169.254.255.255", "172.16.0.0-172.31.255.255", "192.0.0.0-192.0.0.255", "192.0.2.0-192.0.2.255",
    "192.88.99.0-192.88.99.255", "192.168.0.0-192.168.255.255", "198.18.0.0-198.19.255.255",
    "198.51.100.0-198.51.100.255", "203.0.113.0-203.0.113.255", "224.0.0.0-255.255.255.255",
)  # fmt: skip
"""Ranges that are reserved for special purposes (RFC 6890 and its registry); it relays to IPv4 alone."""
_START_DEADLINE = 15.0
_COOKIE = b"\x21\x12\xa4\x42"


@dataclass(frozen=True, slots=True)
class Coturn:
    """A running TURN server: the secret that it shares with the server that makes credentials, and its addresses."""

    secret: str = field(repr=False)
    port: int

    def settings(self, lifetime: int) -> dict[str, object]:
        """What the reference server must be started with, for credentials of so many seconds."""
        uris = [f"turn:{ADDRESS}:{self.port}?transport={transport}" for transport in ("udp", "tcp")]
        return {"turn_secret": self.secret, "turn_uris": ",".join(uris), "turn_ttl": lifetime}


@asynccontextmanager
async def running_coturn(log: Path) -> AsyncIterator[Coturn | None]:
    """Runs coturn for as long as the block lasts; None where the machine has none.

    Args:
        log: takes what it says.

    Raises:
        Trouble: it is there, and does not start.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        yield None
        return
    made = Coturn(secrets.token_hex(32), _free_port())
    warden = await finished(lambda: _started(program, made, log))
    try:
        await finished(lambda: _await_ready(warden, made.port))
        yield made
    finally:
        await finished(warden.stop)


def _started(program: str, made: Coturn, log: Path) -> Warden:
    log.parent.mkdir(parents=True, exist_ok=True)
    folder, lock = make_folder()
    try:
        file = folder / "turnserver.conf"
        file.touch(mode=0o600)  # it holds the secret
        file.write_text("\n".join(_lines(made, folder, log)) + "\n")
        return Warden(Spec([program, "-c", str(file)], log=str(log), remove=str(folder)), keep=(lock,))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(lock)  # the warden holds it now


def _lines(made: Coturn, folder: Path, log: Path) -> list[str]:
    """Its configuration (turnserver.conf)."""
    return [
        f"listening-ip={ADDRESS}", f"relay-ip={ADDRESS}", f"listening-port={made.port}", f"realm={REALM}",
        "use-auth-secret", f"static-auth-secret={made.secret}", "no-cli", "no-tls", "no-dtls",
        # Peers of a test live on this machine: loopback is allowed, and then all of it denied but for one address.
        "allow-loopback-peers", f"allowed-peer-ip={ADDRESS}", *(f"denied-peer-ip={one}" for one in SPECIAL),
        "no-multicast-peers", f"pidfile={folder / 'pid'}", f"userdb={folder / 'db'}",
        f"log-file={log}", "simple-log", "no-stdout-log",
    ]  # fmt: skip


def _free_port() -> int:
    """A port that nobody has, by UDP and by TCP. Raises Trouble where the address is none of this machine's."""
    try:
        with closing(socket.socket(type=socket.SOCK_DGRAM)) as udp, closing(socket.socket()) as tcp:
            udp.bind((ADDRESS, 0))
            port = int(udp.getsockname()[1])
            tcp.bind((ADDRESS, port))
            return port
    except OSError as error:
        raise Trouble(f"no TURN server can listen at {ADDRESS} ({error.strerror})", "") from None


def _await_ready(warden: Warden, port: int) -> None:
    """Asks it (RFC 8489, Binding) until it answers."""
    deadline = time.monotonic() + _START_DEADLINE
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as asker:
        asker.settimeout(0.2)
        asker.connect((ADDRESS, port))
        while warden.wait(0.02) is None and time.monotonic() < deadline:
            try:
                asker.send(b"\x00\x01\x00\x00" + _COOKIE + b"is it there?")
                if asker.recv(2048)[4:8] == _COOKIE:
                    return
            except (ConnectionRefusedError, TimeoutError):
                continue
    raise Trouble(f"coturn does not start ({warden.last_line()})", "mend that, or take turnserver off the PATH")
