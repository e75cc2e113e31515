"""Attacks on tokens (RFC 8725, OWASP ASVS 5.0 chapter 9): each is refused, and a good token beside it is taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from uuid import uuid4

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reference_server.auth import TokenError, TokenSigner, TokenVerifier, anon_key
from reference_server.auth.keys import made_key
from reference_server.settings import LOCAL_JWT_SECRET

NOW = 1_000_000.0
GOOD: dict[str, Any] = {"role": "authenticated", "sub": str(uuid4()), "aud": "authenticated", "exp": NOW + 60}
KEY = made_key(LOCAL_JWT_SECRET)
SIGNERS = {"HS256": TokenSigner(LOCAL_JWT_SECRET), "ES256": TokenSigner(LOCAL_JWT_SECRET, KEY)}


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def forged(header: dict[str, Any], secret: bytes, claims: Any = GOOD) -> str:
    """A token with this header whose HMAC was made with this secret."""
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


@pytest.fixture(params=list(SIGNERS))
def signer(request: pytest.FixtureRequest) -> TokenSigner:
    return SIGNERS[request.param]


@pytest.fixture
def at_now(signer: TokenSigner) -> TokenVerifier:
    return TokenVerifier(*signer.verification_keys(), now=lambda: NOW)


def refusal(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(TokenError) as caught:
        verifier.verify(token)
    return caught.value.code


def test_the_good_token_is_taken(at_now: TokenVerifier, signer: TokenSigner) -> None:
    """The control: unharmed, the token that all attacks start from is good."""
    assert str(at_now.verify(signer.sign(GOOD)).sub) == GOOD["sub"]


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
def test_no_algorithm(at_now: TokenVerifier, name: str) -> None:
    """`alg: none`, in any spelling, is no signature."""
    assert refusal(at_now, f"{part({'alg': name, 'typ': 'JWT'})}.{part(GOOD)}.") == "signature"


def test_stripped_signature(at_now: TokenVerifier, signer: TokenSigner) -> None:
    """A token without its signature, or with half of it, is refused; so is one without the last dot."""
    head, payload, signature = signer.sign(GOOD).split(".")
    assert refusal(at_now, f"{head}.{payload}.") == "signature"
    assert refusal(at_now, f"{head}.{payload}.{signature[: len(signature) // 2]}") in {"signature", "malformed"}
    assert refusal(at_now, f"{head}.{payload}") == "malformed"


def public_forms() -> list[bytes]:
    public = KEY.private.public_key()
    return [
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        orjson.dumps(KEY.public_jwk()),
    ]


@pytest.mark.parametrize("secret", public_forms())
@pytest.mark.parametrize("kid", [None, KEY.kid])
def test_public_key_as_a_secret(at_now: TokenVerifier, secret: bytes, kid: str | None) -> None:
    """A public key is never taken for the secret of an HMAC, with or without its name."""
    header = {"alg": "HS256", "typ": "JWT"} | ({"kid": kid} if kid else {})
    assert refusal(at_now, forged(header, secret)) == "signature"


@pytest.mark.parametrize(
    "algorithm", ["HS384", "HS512", "RS256", "PS256", "ES384", "ES512", "EdDSA", "A128KW", "dir", 5]
)
def test_other_algorithms(at_now: TokenVerifier, algorithm: Any) -> None:
    """Only the algorithm of a key of ours is tried, whatever the header says."""
    assert refusal(at_now, forged({"alg": algorithm}, LOCAL_JWT_SECRET.encode())) == "signature"


def test_keys_that_a_header_brings_along(at_now: TokenVerifier) -> None:
    """A key in `jwk` or `x5c`, or an address in `jku` or `x5u`, is passed over: the signature is not ours."""
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": part(numbers.x.to_bytes(32, "big")),
        "y": part(numbers.y.to_bytes(32, "big")),
    }
    for extra in ({"jwk": jwk}, {"jku": "http://127.0.0.1:9/k"}, {"x5u": "http://127.0.0.1:9/c"}, {"x5c": ["MIIB"]}):
        assert refusal(at_now, jwt.encode(GOOD, private, "ES256", headers=extra)) == "signature"
        assert refusal(at_now, jwt.encode(GOOD, private, "ES256", headers=extra | {"kid": KEY.kid})) == "signature"
    oct_key = {"jwk": {"kty": "oct", "k": part(b"mine" * 8)}}
    assert refusal(at_now, forged({"alg": "HS256"} | oct_key, b"mine" * 8)) == "signature"


@pytest.mark.parametrize(
    "kid",
    ["../../../../dev/null", "/dev/null", "' union select 'x' --", "| sleep 9", "\0", "", "x" * 5000, 7, ["a"], {}],
)
def test_names_of_keys_that_are_none(at_now: TokenVerifier, kid: Any) -> None:
    """A `kid` is looked up among our keys and nowhere else, and it is no way to an empty or to another key."""
    for secret in (b"", LOCAL_JWT_SECRET.encode()):
        assert refusal(at_now, forged({"alg": "HS256", "kid": kid}, secret)) == "signature"


@pytest.mark.parametrize("secret", [b"", b"secret", b"password", b"your-256-bit-secret", b"changeme", b"\0" * 32])
def test_blank_and_well_known_secrets(at_now: TokenVerifier, secret: bytes) -> None:
    """A token signed with nothing, or with what tutorials sign with, is not ours."""
    assert refusal(at_now, forged({"alg": "HS256", "typ": "JWT"}, secret)) == "signature"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": NOW - 1}, "expired"),
        ({"exp": NOW}, "expired"),
        ({"exp": -1}, "expired"),
        ({"exp": None}, "claims"),
        ({"exp": str(NOW + 60)}, "claims"),
        ({"exp": [NOW + 60]}, "claims"),
        ({"nbf": NOW + 31}, "claims"),
        ({"nbf": "soon"}, "claims"),
        ({"iat": NOW + 31}, "claims"),
        ({"iat": None}, "claims"),
        ({"aud": "somebody else"}, "claims"),
        ({"aud": ["somebody", "else"]}, "claims"),
        ({"aud": []}, "claims"),
        ({"aud": {"authenticated": 1}}, "claims"),
        ({"aud": 5}, "claims"),
        ({"role": "postgres"}, "claims"),
        ({"role": "service_role"}, "claims"),
        ({"role": "anon; drop role anon"}, "claims"),
        ({"role": ["authenticated"]}, "claims"),
        ({"role": None}, "claims"),
        ({"sub": "' or ''='"}, "claims"),
        ({"sub": None}, "claims"),
        ({"sub": [GOOD["sub"]]}, "claims"),
    ],
)
def test_claims(at_now: TokenVerifier, signer: TokenSigner, claims: dict[str, Any], code: str) -> None:
    """Times, audience, role and user are checked although the signature is good."""
    assert refusal(at_now, signer.sign_with_secret(GOOD | claims)) == code


@pytest.mark.parametrize("claims", [{"nbf": NOW + 29}, {"iat": NOW + 29}, {"aud": ["x", "authenticated"]}])
def test_claims_within_the_skew(at_now: TokenVerifier, signer: TokenSigner, claims: dict[str, Any]) -> None:
    """Clocks may differ by thirty seconds, and an audience may be one of several."""
    at_now.verify(signer.sign(GOOD | claims))


def test_a_token_that_begins_later_is_good_then(signer: TokenSigner) -> None:
    """A token refused because it is not yet valid is taken once it is."""
    times = [NOW]
    verifier = TokenVerifier(*signer.verification_keys(), now=lambda: times[0])
    token = signer.sign(GOOD | {"nbf": NOW + 40, "exp": NOW + 90})
    assert refusal(verifier, token) == "claims"
    times[0] = NOW + 41
    verifier.verify(token)


def test_issuer(signer: TokenSigner) -> None:
    """With an issuer set, users' tokens of another or of none are refused; the project's key has its own."""
    verifier = TokenVerifier(*signer.verification_keys(), now=lambda: NOW, issuer="https://a/auth/v1")
    verifier.verify(signer.sign(GOOD | {"iss": "https://a/auth/v1"}))
    assert refusal(verifier, signer.sign(GOOD | {"iss": "https://b/auth/v1"})) == "claims"
    assert refusal(verifier, signer.sign(GOOD)) == "claims"
    verifier.verify(anon_key(signer))


@pytest.mark.parametrize(
    "payload",
    [
        b'{"role":"anon","role":"authenticated","sub":"%s","exp":2000000}',
        b'{"role":"authenticated","sub":"00000000-0000-0000-0000-000000000001","sub":"%s","exp":2000000}',
        b'{"role":"authenticated","sub":"%s","exp":1,"exp":2000000}',
        b'{"role":"authenticated","sub":"%s","exp":2000000,"app_metadata":{"a":1,"a":2}}',
    ],
)
def test_duplicate_claims(at_now: TokenVerifier, payload: bytes) -> None:
    """A claim that comes twice has no meaning that two readers share: refused, at any depth."""
    claims = payload % GOOD["sub"].encode()
    assert refusal(at_now, forged({"alg": "HS256"}, LOCAL_JWT_SECRET.encode(), claims)) == "malformed"


def test_duplicate_headers(at_now: TokenVerifier) -> None:
    """The same goes for the header."""
    signed = part(b'{"alg":"none","alg":"HS256"}') + "." + part(GOOD)
    token = f"{signed}.{part(hmac.digest(LOCAL_JWT_SECRET.encode(), signed.encode(), hashlib.sha256))}"
    assert refusal(at_now, token) == "malformed"


@pytest.mark.parametrize("extra", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": False, "crit": ["b64"]}])
def test_critical_extensions(at_now: TokenVerifier, extra: dict[str, Any]) -> None:
    """A header that demands an extension is refused: none is understood (RFC 7515 section 4.1.11)."""
    assert refusal(at_now, forged({"alg": "HS256"} | extra, LOCAL_JWT_SECRET.encode())) == "malformed"


@pytest.mark.parametrize(
    "token",
    [
        "a" * 20_000,
        "." * 100_000,
        ".".join([part({"alg": "HS256"}), "A" * 50_000, "A"]),
        ".".join([part({"alg": "HS256"}), part(b"[" * 5000), "AAAA"]),
        "e30.e30.e30=",
        "e30.e30.e30\n",
        "{}.{}.{}",
        "٣.٣.٣",
    ],
)
def test_huge_and_odd_tokens(at_now: TokenVerifier, token: str) -> None:
    """A token that is too long, or written otherwise than tokens are, is refused before any key is tried."""
    assert refusal(at_now, token) in {"malformed", "signature"}


def test_good_signature_over_a_huge_token(at_now: TokenVerifier, signer: TokenSigner) -> None:
    """Length alone is enough to be refused."""
    assert refusal(at_now, signer.sign(GOOD | {"filler": "x" * 20_000})) == "malformed"


def test_payload_that_cannot_be_written_again(at_now: TokenVerifier) -> None:
    """Claims that PostgreSQL could not be told are refused with the token, not later with an error of ours."""
    deep = b'{"role":"authenticated","sub":"%s","exp":2000000,"x":%s}' % (GOOD["sub"].encode(), b"[" * 400 + b"]" * 400)
    assert refusal(at_now, forged({"alg": "HS256"}, LOCAL_JWT_SECRET.encode(), deep)) == "malformed"
