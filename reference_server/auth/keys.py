"""The project's keys: the secret of HS256, the elliptic key of ES256, and what of them may be shown (RFC 7517)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key

Algorithm = Literal["HS256", "ES256"]
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256 (SEC 2, section 2.4.2)."""
_COORDINATE = 32


class KeyRefused(ValueError):
    """A key that cannot sign ES256."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key that signatures may be checked with; `kid` is its name in a token's header (None: unnamed)."""

    algorithm: Algorithm
    key: Any = field(repr=False)
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class EllipticKey:
    """A key pair on P-256 (ES256, RFC 7518 section 3.4); `kid` is its thumbprint (RFC 7638)."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    kid: str

    def verification(self) -> VerificationKey:
        """The public half, for checking signatures."""
        return VerificationKey("ES256", self.private.public_key(), self.kid)

    def public_jwk(self) -> dict[str, Any]:
        """The public half as a JSON Web Key (RFC 7517 section 4); never the private one."""
        return {
            "kid": self.kid,
            "alg": "ES256",
            "use": "sig",
            "key_ops": ["verify"],
            "ext": True,
            **_point(self.private),
        }


def given_key(pem: str) -> EllipticKey:
    """The key of a PEM text (PKCS #8 or SEC 1, unencrypted). Raises KeyRefused where it is no private key on P-256."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise KeyRefused(f"is no unencrypted private key in PEM ({error})") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise KeyRefused("is no private key on the curve P-256")
    return _named(key)


def made_key(secret: str) -> EllipticKey:
    """A key made from the project's secret, so that all instances with one secret have one key, without a store.

    HKDF with SHA-256 (RFC 5869), reduced as FIPS 186-5 appendix A.2.1 does: 64 extra bits leave no bias that matters.
    """
    stretched = HKDF(hashes.SHA256(), _COORDINATE + 8, salt=None, info=b"gurukul ES256 signing key").derive(
        secret.encode()
    )
    scalar = int.from_bytes(stretched, "big") % (_ORDER - 1) + 1
    return _named(ec.derive_private_key(scalar, ec.SECP256R1()))


def _named(key: ec.EllipticCurvePrivateKey) -> EllipticKey:
    canonical = orjson.dumps(_point(key), option=orjson.OPT_SORT_KEYS)
    return EllipticKey(key, _base64url(hashlib.sha256(canonical).digest()))


def _point(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    x, y = (_base64url(number.to_bytes(_COORDINATE, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
