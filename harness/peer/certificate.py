"""One certificate for all peers of a process: in a crowd, a key of one's own for each costs more than its handshake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from aiortc import RTCCertificate
from aiortc.rtcdtlstransport import RTCDtlsFingerprint
from OpenSSL import SSL


@contextmanager
def one_certificate() -> Iterator[None]:
    """Peers that are made inside this block all have the same certificate, and so the same fingerprint.

    Not for glare, which our peers resolve by their fingerprints. aiortc has no setting for it, so its maker of
    certificates is replaced meanwhile.
    """
    shared = _Shared.generateCertificate()
    maker = RTCCertificate.__dict__["generateCertificate"]
    RTCCertificate.generateCertificate = classmethod(lambda _: shared)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        RTCCertificate.generateCertificate = maker  # type: ignore[method-assign]


class _Shared(RTCCertificate):
    """Keeps what aiortc would compute anew for each peer."""

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:  # noqa: N802  aiortc's name
        """Its digests, one for each algorithm."""
        return list(self._fingerprints)

    @cached_property
    def _fingerprints(self) -> list[RTCDtlsFingerprint]:
        return super().getFingerprints()

    def _create_ssl_context(self, srtp_profiles: Any) -> SSL.Context:
        """aiortc has one list of profiles, so that one context does for all; it remembers no DTLS sessions."""
        self._profiles = srtp_profiles
        return self._context

    @cached_property
    def _context(self) -> SSL.Context:
        context = super()._create_ssl_context(self._profiles)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        return context
