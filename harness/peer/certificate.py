"""One certificate for all peers of a process: in a crowd, a key of one's own for each costs more than its handshake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

from aiortc import RTCCertificate
from aiortc.rtcdtlstransport import RTCDtlsFingerprint
from OpenSSL import SSL


@contextmanager
def one_certificate() -> Iterator[None]:
    """Peer connections that are made inside this block have the certificate of this process.

    So they have the same fingerprint, too. aiortc has no setting for it, so its maker of certificates is replaced
    meanwhile.
    """
    shared = _of_this_process()
    maker = RTCCertificate.__dict__["generateCertificate"]
    RTCCertificate.generateCertificate = classmethod(lambda _: shared)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        RTCCertificate.generateCertificate = maker  # type: ignore[method-assign]


class _Shared(RTCCertificate):
    """Keeps what aiortc would compute anew for each peer."""

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:  # noqa: N802  aiortc's name
        """Its SHA-256 digest, as browsers have it; aiortc would name two longer ones besides, and check all three."""
        return [self._fingerprint]

    @cached_property
    def _fingerprint(self) -> RTCDtlsFingerprint:
        return next(one for one in super().getFingerprints() if one.algorithm == "sha-256")

    def _create_ssl_context(self, srtp_profiles: Any) -> SSL.Context:
        """aiortc has one list of profiles, so that one context does for all; it remembers no DTLS sessions."""
        self._profiles = srtp_profiles
        return self._context

    @cached_property
    def _context(self) -> SSL.Context:
        context = super()._create_ssl_context(self._profiles)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        return context


@cache
def _of_this_process() -> RTCCertificate:
    return _Shared.generateCertificate()
