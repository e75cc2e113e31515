"""How far a connection came: the one stage at which it failed, told from what was seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from harness.peer.order import Order


class Role(StrEnum):
    """Who offers. Exactly one member of a session does."""

    OFFERER = "offerer"
    ANSWERER = "answerer"


class Stage(StrEnum):
    """Where an attempt ended; all but `connected` are failures, and they exclude each other."""

    CONNECTED = "connected"
    """Data (and media, where it was asked for) went both ways, and this side knows it."""
    MATCH = "match"
    """There was no partner to connect to."""
    ABORTED = "aborted"
    """The other side, or this one, ended the session before it stood."""
    GATHERING_NONE = "gathering-none"
    """No local candidate was found."""
    TURN_AUTH = "turn-auth"
    """The TURN server refused our relay (the detail has its code), and there was no way without."""
    TURN_UNREACHABLE = "turn-unreachable"
    """The TURN server did not answer, and there was no way without."""
    SIGNALLING_LOST = "signalling-lost"
    """The other side's description, or some of its candidates, never came."""
    SIGNALLING_DOUBLED = "signalling-doubled"
    """A second description of the same attempt came, and it was not the first one again."""
    SIGNALLING_REORDERED = "signalling-reordered"
    """Signals came too late to be of use: candidates after their end, an answer before its offer."""
    SIGNALLING_BROKEN = "signalling-broken"
    """A signal came that cannot be used, or came where it has no place."""
    ICE_CHECKS_TIMEOUT = "ice-checks-timeout"
    """Both sides knew each other's candidates, and no pair of them carried a check both ways."""
    DTLS = "dtls"
    """Packets flowed, but there was no common key."""
    DATA_SILENT = "sctp-silent"
    """There was a key, but no data came back."""
    MEDIA_SILENT = "silent-media"
    """Data went both ways, but the media that was asked for did not come."""
    ONE_SIDED = "one-sided"
    """One side was connected and the other was not. Only who knows both can tell."""
    HARNESS_DEADLINE = "harness-deadline"
    """Our deadline came while this side itself was still at work: nobody else is to blame."""


@dataclass(slots=True)
class Progress:
    """What one side has seen of its attempt so far."""

    local_candidates: int | None = None
    """None until this side has gathered."""
    relay_failure: tuple[Stage, str] | None = None
    """Why a relay that was asked for was not given."""
    remote_description: bool = False
    remote_candidates: int = 0
    """Those that could be used."""
    unusable: list[str] = field(default_factory=list)
    """What was wrong with each candidate that could not be used."""
    late_candidates: int = 0
    """Candidates that came after the end of candidates, which aiortc then no longer takes."""
    order: Order = field(default_factory=Order)
    ice_completed: bool = False
    dtls_connected: bool = False
    data_both_ways: bool = False
    media_missing: bool = False
    """Media was asked for, and has not been proven yet."""
    ended_by_other: bool = False
    busy: str = ""
    """What this side itself is in the middle of."""
    unsent: str = ""
    """The signal of ours that the target did not accept for certain."""
    broken: tuple[Stage, str] | None = None
    """What was wrong with a signal that ended the attempt."""

    @property
    def proven(self) -> bool:
        """Whether everything that was asked for went both ways, as far as this side can tell."""
        return self.data_both_ways and not self.media_missing


def stage_of(seen: Progress) -> tuple[Stage, str]:
    """The stage at which an attempt that is over stands, and what was missing in a few words."""
    if seen.proven:
        return Stage.CONNECTED, ""
    if seen.ended_by_other:
        return Stage.ABORTED, "the session was ended during the handshake"
    if seen.broken:
        return seen.broken
    if seen.busy:
        return Stage.HARNESS_DEADLINE, f"this side was {seen.busy}"
    return next(_missing(seen))


def _missing(seen: Progress) -> Iterator[tuple[Stage, str]]:
    """The steps that were not reached, in the order of the handshake, with whose fault that is."""
    if seen.local_candidates == 0:
        yield seen.relay_failure or (Stage.GATHERING_NONE, "no local candidate")
    if not seen.remote_description:
        unsent = f"; the target may not have our {seen.unsent}" if seen.unsent else ""
        yield Stage.SIGNALLING_LOST, f"no description came from the other side{unsent}"
    if not seen.ice_completed:
        yield from _without_a_path(seen)
    if not seen.dtls_connected:
        yield Stage.DTLS, "no DTLS connection"
    if not seen.data_both_ways:
        yield Stage.DATA_SILENT, "no data came back"
    yield Stage.MEDIA_SILENT, "no media came"


def _without_a_path(seen: Progress) -> Iterator[tuple[Stage, str]]:
    """Why no candidate pair worked: what signalling kept from ICE comes before what the network did."""
    if seen.unusable and not seen.remote_candidates:
        yield Stage.SIGNALLING_BROKEN, f"no candidate could be used: {seen.unusable[0]}"
    if not seen.remote_candidates and not seen.late_candidates:
        yield Stage.SIGNALLING_LOST, "no candidate came from the other side"
    if seen.order.missing:
        yield Stage.SIGNALLING_LOST, f"signals of the other side that never came: {seen.order.missing}"
    if seen.late_candidates:
        yield Stage.SIGNALLING_REORDERED, f"{seen.late_candidates} candidates came after their end"
    if seen.relay_failure:
        yield seen.relay_failure
    yield Stage.ICE_CHECKS_TIMEOUT, "no candidate pair worked"


_BLAME = (
    Stage.MATCH, Stage.GATHERING_NONE, Stage.TURN_AUTH, Stage.TURN_UNREACHABLE, Stage.SIGNALLING_BROKEN,
    Stage.SIGNALLING_DOUBLED, Stage.SIGNALLING_REORDERED, Stage.SIGNALLING_LOST, Stage.DTLS, Stage.DATA_SILENT,
    Stage.MEDIA_SILENT, Stage.ICE_CHECKS_TIMEOUT, Stage.ONE_SIDED, Stage.HARNESS_DEADLINE, Stage.ABORTED,
)  # fmt: skip
"""Which of two stages explains the other: the earlier one here does."""


def stage_of_pair(one: Stage, other: Stage) -> Stage:
    """The stage of a pair of which both sides are known.

    `connected` needs both; where only one side was, the pair is `one-sided`. Where neither was, the stage that
    explains the other's stands: a relay that was refused explains why the partner saw no check succeed.
    """
    if one is other:
        return one
    if Stage.CONNECTED in {one, other}:
        return Stage.ONE_SIDED
    return min(one, other, key=_BLAME.index)
