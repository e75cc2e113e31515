"""Peers that share a certificate."""

from __future__ import annotations

from harness.peer.certificate import one_certificate
from harness.peer.stage import Stage
from harness.peer.trickle import fingerprint_of
from tests.harness.peer.wire import connected


async def test_peers_with_one_certificate_connect():
    """They have the same fingerprint, keys of their own for each connection, and nothing is left replaced."""
    with one_certificate():
        async with connected() as pair, connected() as other:
            assert {result.stage for result in (*pair.results, *other.results)} == {Stage.CONNECTED}
            shared = {fingerprint_of(peer.attempt.local_sdp) for peer in (*pair.peers, *other.peers)}
    assert len(shared) == 1
    async with connected() as pair:
        fingerprints = {fingerprint_of(peer.attempt.local_sdp) for peer in pair.peers}
    assert len(fingerprints | shared) == 3
