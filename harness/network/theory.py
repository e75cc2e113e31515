"""Which pairs of peers ICE connects and which it cannot, told from their NATs (RFC 8445, RFC 4787, RFC 8656); pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.network.nat import Filtering, NatKind, Turn
from harness.network.nat import Mapping as NatMapping


def connects(one: NatKind, other: NatKind, turn: Turn) -> bool:
    """Whether two peers behind separate NATs of these kinds connect, each with STUN and this way to a relay."""
    return not needs_relay(one, other) or _relays(one, other, turn) or _relays(other, one, turn)


def needs_relay(one: NatKind, other: NatKind) -> bool:
    """Whether no direct path between the two exists."""
    if not (one.udp and other.udp):
        return True
    return not (_pierces(one, other) or _pierces(other, one))


def success_rate(shares: Mapping[NatKind, float], turn: Turn) -> float:
    """The part of all pairs that connects, where both members are drawn independently from these shares (sum 1)."""
    return sum(
        share * others
        for one, share in shares.items()
        for other, others in shares.items()
        if connects(one, other, turn)
    )


def expected_successes(pairs: Iterable[tuple[NatKind, NatKind]], turn: Turn) -> int:
    """How many of these very pairs connect."""
    return sum(connects(one, other, turn) for one, other in pairs)


def _pierces(sender: NatKind, receiver: NatKind) -> bool:
    """Whether the sender's checks pass the receiver's NAT, and the answers pass the sender's.

    Checks go to the address that the receiver learned from STUN. The receiver has sent checks to the one that the
    sender learned, so its NAT knows that address; but a dependent mapping (RFC 4787 section 4.1) sends from another
    port towards each destination.
    """
    if receiver.mapping is NatMapping.ENDPOINT_INDEPENDENT:
        known = sender.mapping is NatMapping.ENDPOINT_INDEPENDENT
        return known or receiver.filtering is not Filtering.ADDRESS_AND_PORT_DEPENDENT
    if receiver.filtering is not Filtering.ENDPOINT_INDEPENDENT:
        return False
    return sender.filtering is not Filtering.ADDRESS_AND_PORT_DEPENDENT


def _relays(owner: NatKind, other: NatKind, turn: Turn) -> bool:
    """Whether the owner's relay carries the pair: the other reaches it over UDP, or from a relay of its own.

    Permissions name an address and no port (RFC 8656 section 9), so that any mapping of the other's may come in.
    """
    return owner.reaches(turn) and (other.udp or other.reaches(turn))
