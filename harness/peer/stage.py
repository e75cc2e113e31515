"""How far a connection came: the one stage at which it failed, told from what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who offers. Exactly one member of a session does."""

    OFFERER = "offerer"
    ANSWERER = "answerer"


class Stage(StrEnum):
    """Where an attempt ended; all but `connected` are failures, and they exclude each other."""

    CONNECTED = "connected"
    """Data went both ways, and this side knows it."""
    MATCH = "match"
    """There was no partner to connect to."""
    ABORTED = "aborted"
    """The other side, or this one, ended the session before it stood."""
    GATHERING_NONE = "gathering-none"
    """No local candidate was found."""
    SIGNALLING_LOST = "signalling-lost"
    """The other side's description, or all of its candidates, never came."""
    SIGNALLING_BROKEN = "signalling-broken"
    """A signal came that cannot be used, or came where it has no place; or ours could not be sent."""
    ICE_CHECKS_TIMEOUT = "ice-checks-timeout"
    """Both sides knew each other's candidates, and no pair of them carried a check both ways."""
    DTLS = "dtls"
    """Packets flowed, but there was no common key."""
    DATA_SILENT = "sctp-silent"
    """There was a key, but no data came back."""


@dataclass(slots=True)
class Progress:
    """What one side has seen of its attempt so far."""

    local_candidates: int | None = None
    """None until this side has gathered."""
    remote_description: bool = False
    remote_candidates: int = 0
    ice_completed: bool = False
    dtls_connected: bool = False
    data_both_ways: bool = False
    ended_by_other: bool = False
    broken: str = ""
    """What was wrong with a signal, or with the sending of one."""


def stage_of(seen: Progress) -> tuple[Stage, str]:
    """The stage at which an attempt that is over stands, and what was missing in a few words."""
    if seen.data_both_ways:
        return Stage.CONNECTED, ""
    if seen.ended_by_other:
        return Stage.ABORTED, "the session was ended during the handshake"
    if seen.broken:
        return Stage.SIGNALLING_BROKEN, seen.broken
    ladder = (
        (seen.local_candidates != 0, Stage.GATHERING_NONE, "no local candidate"),
        (seen.remote_description, Stage.SIGNALLING_LOST, "no description came from the other side"),
        (seen.remote_candidates or seen.ice_completed, Stage.SIGNALLING_LOST, "no candidate came from the other side"),
        (seen.ice_completed, Stage.ICE_CHECKS_TIMEOUT, "no candidate pair worked"),
        (seen.dtls_connected, Stage.DTLS, "no DTLS connection"),
    )
    for reached, stage, missing in ladder:
        if not reached:
            return stage, missing
    return Stage.DATA_SILENT, "no data came back"
