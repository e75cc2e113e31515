"""The certificate that the peers of a process share."""

from __future__ import annotations

from aiortc import RTCCertificate

from harness.peer.stage import Stage
from harness.peer.trickle import fingerprint_of
from tests.harness.peer.wire import connected


async def test_peers_of_a_process_connect_with_one_certificate():
    """All have the same fingerprint, SHA-256 alone as browsers have it; other certificates are still made anew."""
    async with connected() as pair, connected() as other:
        assert {result.stage for result in (*pair.results, *other.results)} == {Stage.CONNECTED}
        described = [peer.attempt.local_sdp for peer in (*pair.peers, *other.peers)]
    assert len({fingerprint_of(sdp) for sdp in described}) == 1
    assert all(sdp.count("a=fingerprint:") == sdp.count("a=fingerprint:sha-256 ") == 1 for sdp in described)
    foreign = {RTCCertificate.generateCertificate().getFingerprints()[0].value for _ in range(2)}
    assert len(foreign) == 2
    assert not any(value in described[0] for value in foreign)
