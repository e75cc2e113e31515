"""A throw-away certificate for a server inside the process, and a client's context that trusts it and nothing else."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFE = timedelta(days=7)
_SLACK = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed certificate and its key, both as PEM."""

    pem: str
    key: str = field(repr=False)

    def trusting(self) -> ssl.SSLContext:
        """A client's context for servers with this certificate. aioice offers no way to name one of one's own."""
        return ssl.create_default_context(cadata=self.pem)


def certificate_for(addresses: tuple[str, ...]) -> Certificate:
    """Makes a certificate for these IP addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gurukul.invalid")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address)) for address in addresses])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - _SLACK, now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Certificate(made.public_bytes(serialization.Encoding.PEM).decode(), secret.decode())
