"""The TURN server of the lab: it runs on its own address, takes what the server makes, and leaves nothing behind."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from pathlib import Path

import pytest

from harness.errors import Trouble
from harness.lab import coturn
from harness.lab.coturn import ADDRESS, Coturn, running_coturn
from harness.peer.turn_probe import NoRelay, TurnProbe, TurnServer


def credentials(there: Coturn, lifetime: int) -> tuple[str, str]:
    """Name and password as the reference server makes them."""
    name = f"{int(time.time()) + lifetime}:somebody"
    return name, base64.b64encode(hmac.digest(there.secret.encode(), name.encode(), hashlib.sha1)).decode()


async def test_it_relays_for_its_own_address_alone(tmp_path: Path) -> None:
    """Good credentials get a relay both ways at its own address; the rest of loopback and private networks are denied.

    Expired and forged credentials get none, and when the block ends the server is gone.
    """
    async with running_coturn(tmp_path / "coturn.log") as there:
        assert there is not None
        server = TurnServer(ADDRESS, there.port, "udp")
        async with TurnProbe(server, *credentials(there, 60)) as client, TurnProbe(server, "", "") as peer:
            assert await client.allocate() is None
            assert await client.permit(peer.address[0]) is None
            client.send(b"there", peer.address)
            assert await peer.until(lambda: (b"there", client.relayed) in peer.datagrams)
            peer.send_past(b"back", client.relayed)
            assert await client.until(lambda: (b"back", peer.address) in client.data)
            for denied in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1"):
                assert await client.permit(denied) is not None, denied
        for name, password in (credentials(there, -60), (credentials(there, 60)[0], "forged")):
            async with TurnProbe(server, name, password) as refused:
                refusal = await refused.allocate()
                assert refusal is not None and refusal.code == 401
    async with TurnProbe(server, "", "") as late:
        with pytest.raises(NoRelay):
            await late.allocate()


async def test_what_the_server_is_told() -> None:
    """The settings name the secret, both transports, and how long credentials are good; the secret is in no repr."""
    made = Coturn("s3cret", 3478)
    assert made.settings(15) == {
        "turn_secret": "s3cret",
        "turn_uris": f"turn:{ADDRESS}:3478?transport=udp,turn:{ADDRESS}:3478?transport=tcp",
        "turn_ttl": 15,
    }
    assert "s3cret" not in repr(made)


async def test_a_machine_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where coturn is not installed there is none, and that is no trouble."""
    monkeypatch.setenv("PATH", str(tmp_path))
    async with running_coturn(tmp_path / "coturn.log") as there:
        assert there is None


async def test_one_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name that ends at once is trouble in one line."""
    program = tmp_path / coturn.PROGRAM
    program.write_text("#!/bin/sh\necho no such option >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(Trouble, match=r"coturn does not start .*no such option"):
        async with running_coturn(tmp_path / "coturn.log"):
            pass
