"""Tokens: signed as every verifier expects, read without trust."""

from __future__ import annotations

import jwt
import pytest

from harness.protocol.malformed import Malformed
from harness.protocol.token import LOCAL_JWT_SECRET, claims_of, local_anon_key, sign_hs256, user_claims


def test_a_signed_token_verifies_elsewhere() -> None:
    """Against an implementation that is not ours."""
    token = sign_hs256(user_claims("U", 1_000, 60), LOCAL_JWT_SECRET)
    options = {"verify_exp": False}
    claims = jwt.decode(token, LOCAL_JWT_SECRET, algorithms=["HS256"], audience="authenticated", options=options)
    assert (claims["sub"], claims["role"], claims["exp"]) == ("U", "authenticated", 1_060)


def test_the_local_anon_key_is_the_public_one() -> None:
    """Every local project has this key until its secret is changed."""
    assert local_anon_key().endswith(".CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0")
    assert claims_of(local_anon_key())["role"] == "anon"


@pytest.mark.parametrize(
    ("token", "says"),
    [("", "three parts, not 1"), ("a.b", "three parts, not 2"), ("a.!.c", "base64url"), ("a.bnVsbA.c", "an object")],
)
def test_what_is_no_token_is_malformed(token: str, says: str) -> None:
    """A target may send anything in its place."""
    with pytest.raises(Malformed, match=says):
        claims_of(token)
