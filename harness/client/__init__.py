"""The SDK: one signed-in user of a target, behind a dialect."""

from harness.client.dialect import Account, Credentials, NotAdmitted, NotReached
from harness.client.participant import JoinReply, Participant
from harness.client.signalling import SignalChannel
from harness.client.transport import Transport, probe
from harness.protocol.changes import SessionSeen
from harness.protocol.signal import Signal

__all__ = [
    "Account", "Credentials", "JoinReply", "NotAdmitted", "NotReached", "Participant", "SessionSeen", "Signal",
    "SignalChannel", "Transport", "probe",
]  # fmt: skip
