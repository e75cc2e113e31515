"""TURN credentials: what coturn would compute from the same secret."""

from __future__ import annotations

import pytest

from reference_server.turn.credentials import Relay, password_of, read_uris

RELAY = Relay("north", ("turn:relay.example:3478",), 600)


def test_password_is_what_the_turn_server_computes() -> None:
    """A pair that was computed with `openssl dgst -sha1 -hmac` and base64."""
    assert password_of("1000000600:ada", "north") == "4pmsCXNYGzOfcaSb0L+I7fBSvP0="


def test_credentials() -> None:
    """The name says until when, and for whom; addresses and lifetime stand beside it."""
    made = RELAY.credentials("ada", 1_000_000_000.9)
    assert made == {
        "username": "1000000600:ada",
        "password": password_of("1000000600:ada", "north"),
        "ttl": 600,
        "uris": ["turn:relay.example:3478"],
    }


def test_credentials_differ_by_user_time_and_secret() -> None:
    """No password is good for another user, another time, or another secret."""
    passwords = {
        RELAY.credentials("ada", 0)["password"],
        RELAY.credentials("bob", 0)["password"],
        RELAY.credentials("ada", 1)["password"],
        Relay("south", (), 600).credentials("ada", 0)["password"],
    }
    assert len(passwords) == 4


def test_the_secret_is_not_printed() -> None:
    """A relay in a log line does not show its secret."""
    assert "north" not in repr(RELAY)


def test_addresses() -> None:
    """Several addresses are separated by commas."""
    assert read_uris("turn:a:3478?transport=udp, turns:b:5349,") == ("turn:a:3478?transport=udp", "turns:b:5349")
    assert read_uris("") == ()


@pytest.mark.parametrize("text", ["http://relay", "relay:3478", "turn:", "turn:a b"])
def test_addresses_that_are_none(text: str) -> None:
    """What no ICE agent would take is refused."""
    with pytest.raises(ValueError, match="is no address of a TURN server"):
        read_uris(text)
