"""Keys of ES256: made, given, named, shown."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reference_server.auth import TokenSigner, TokenVerifier, anon_key
from reference_server.auth.keys import KeyRefused, given_key, made_key

SECRET = "a secret of at least thirty-two characters"


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_the_made_key_is_the_same_every_time() -> None:
    """All instances with one secret have one key, and another secret has another."""
    assert made_key(SECRET).public_jwk() == made_key(SECRET).public_jwk()
    assert made_key(SECRET).kid != made_key(SECRET + "!").kid


def test_the_name_is_the_thumbprint() -> None:
    """The key of RFC 7638's method: another library finds the same name."""
    key = given_key(pem(ec.generate_private_key(ec.SECP256R1())))
    assert key.public_jwk()["kid"] == key.kid
    assert len(key.kid) == 43


def test_what_is_shown_checks_what_is_signed_and_cannot_sign() -> None:
    """The JSON Web Key has the public half alone, and another library checks a token with it."""
    key = made_key(SECRET)
    shown = key.public_jwk()
    assert shown.keys() == {"kid", "alg", "use", "key_ops", "ext", "kty", "crv", "x", "y"}
    token = TokenSigner(SECRET, key).sign({"a": 1})
    assert jwt.decode(token, jwt.PyJWK(shown), algorithms=["ES256"]) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "is no unencrypted private key in PEM"),
        (pem(rsa.generate_private_key(65537, 2048)), "is no private key on the curve P-256"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "is no private key on the curve P-256"),
    ],
)
def test_keys_that_are_refused(text: str, says: str) -> None:
    """What cannot sign ES256 is refused with the reason."""
    with pytest.raises(KeyRefused, match=says):
        given_key(text)


def test_secrets_are_not_printed() -> None:
    """No key shows itself in a log line."""
    signer = TokenSigner(SECRET, made_key(SECRET))
    assert not any(SECRET in repr(key) for key in signer.verification_keys())


def test_the_projects_key_stays_with_the_secret() -> None:
    """The anon key is the same whatever signs the users' tokens, and both are taken."""
    signer = TokenSigner(SECRET, made_key(SECRET))
    assert anon_key(signer) == anon_key(TokenSigner(SECRET))
    verifier = TokenVerifier(*signer.verification_keys())
    assert verifier.verify(anon_key(signer)).role == "anon"
    assert signer.public_keys()[0]["kid"] == made_key(SECRET).kid
    assert TokenSigner(SECRET).public_keys() == []
