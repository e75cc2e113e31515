"""Tokens: what is taken, what is refused, and with which words."""

from __future__ import annotations

import base64
from uuid import UUID, uuid4

import jwt
import pytest

from reference_server.auth import TokenError, TokenSigner, TokenVerifier, anon_key, tokens
from reference_server.settings import LOCAL_JWT_SECRET

NOW = 1_000_000.0
USER = uuid4()
GOOD = {"role": "authenticated", "sub": str(USER), "exp": NOW + 60}


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def at_now(signer: TokenSigner, clock: Clock) -> TokenVerifier:
    return TokenVerifier(signer.verification_key(), now=clock)


def test_not_every_token_is_remembered(signer: TokenSigner, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims are read once for those who come again; of users who came and went, only the last are kept."""
    monkeypatch.setattr(tokens, "_REMEMBERED", 2)
    verifier = TokenVerifier(signer.verification_key(), now=clock)
    one, two, three = (signer.sign(GOOD | {"n": n}) for n in range(3))
    first = verifier.verify(one)
    assert verifier.verify(one) is first
    for token in (two, three):
        verifier.verify(token)
    again = verifier.verify(one)
    assert again == first
    assert again is not first


def test_a_good_token_names_its_user(at_now: TokenVerifier, signer: TokenSigner) -> None:
    """Role, user and expiry are read, and the whole claim set is kept."""
    claims = at_now.verify(signer.sign(GOOD | {"extra": [1]}))
    assert (claims.role, claims.sub, claims.expires_at) == ("authenticated", USER, NOW + 60)
    assert claims.raw["extra"] == [1]


def test_local_anon_key_is_the_well_known_one(verifier: TokenVerifier) -> None:
    """With the local default secret the key is the one that every local Supabase has."""
    key = anon_key(TokenSigner(LOCAL_JWT_SECRET))
    assert key.startswith("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24i")
    assert verifier.verify(key).sub is None


def test_expiry_is_checked_every_time(at_now: TokenVerifier, signer: TokenSigner, clock: Clock) -> None:
    """A token that was good is refused once it has expired, and a leeway puts that off."""
    token = signer.sign(GOOD)
    at_now.verify(token)
    clock.now = NOW + 60
    with pytest.raises(TokenError) as caught:
        at_now.verify(token)
    assert (caught.value.code, caught.value.message) == ("expired", "JWT expired")
    assert at_now.verify(token, leeway=30).sub == USER


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"sub": str(USER), "exp": NOW + 60}, "Fields `role` and `exp` are required in JWT"),
        ({"role": "authenticated", "sub": str(USER)}, "Fields `role` and `exp` are required in JWT"),
        (GOOD | {"exp": "soon"}, "Fields `role` and `exp` are required in JWT"),
        (GOOD | {"exp": True}, "Fields `role` and `exp` are required in JWT"),
        (GOOD | {"role": "postgres"}, 'role "postgres" does not exist'),
        (GOOD | {"sub": "me"}, "the sub claim of the JWT is not a user"),
        ({"role": "authenticated", "exp": NOW + 60}, "the sub claim of the JWT is not a user"),
    ],
)
def test_claims_that_are_refused(
    at_now: TokenVerifier, signer: TokenSigner, claims: dict[str, object], message: str
) -> None:
    """A well-signed token is refused where a claim is missing or says what it must not."""
    with pytest.raises(TokenError) as caught:
        at_now.verify(signer.sign(claims))
    assert (caught.value.code, caught.value.message) == ("claims", message)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("", "malformed"),
        ("a.b", "malformed"),
        ("a.b.c", "malformed"),
        ("é.é.é", "malformed"),
        ("a.b.c.d", "malformed"),
        (jwt.encode(GOOD, "another secret that is long enough to be one", "HS256"), "signature"),
        (jwt.encode(GOOD, None, "none"), "signature"),
        (jwt.encode(GOOD, LOCAL_JWT_SECRET, "HS384"), "signature"),
    ],
)
def test_tokens_that_are_not_ours(at_now: TokenVerifier, token: str, code: str) -> None:
    """No token, another project's, or one signed in another way (also with no signature at all) is refused."""
    with pytest.raises(TokenError) as caught:
        at_now.verify(token)
    assert caught.value.code == code


def test_every_changed_byte_is_noticed(at_now: TokenVerifier, signer: TokenSigner) -> None:
    """No single changed character of the payload leaves a token good."""
    head, payload, signature = signer.sign(GOOD).split(".")
    for place in range(len(payload)):
        changed = payload[:place] + ("A" if payload[place] != "A" else "B") + payload[place + 1 :]
        with pytest.raises(TokenError):
            at_now.verify(f"{head}.{changed}.{signature}")


def test_payload_that_is_not_an_object(at_now: TokenVerifier) -> None:
    """A signed payload that is JSON but no object, or no JSON, is malformed."""
    for payload in (b"[1]", b"nonsense", base64.b64encode(b"\xff")):
        token = jwt.PyJWS().encode(payload, LOCAL_JWT_SECRET, "HS256")
        with pytest.raises(TokenError) as caught:
            at_now.verify(token)
        assert caught.value.code == "malformed"


def test_sub_is_a_uuid(at_now: TokenVerifier, signer: TokenSigner) -> None:
    """The user comes as a UUID, not as text."""
    assert isinstance(at_now.verify(signer.sign(GOOD)).sub, UUID)
