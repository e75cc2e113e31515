"""The four messages that prove that data went both ways, and that both sides know it; pure.

The offerer says hello, the answerer echoes it, the offerer confirms (it has seen both directions), the answerer settles
(so has it now). The last message needs no answer: the offerer waits for it only before it closes, so that its
confirmation is not cut off.
"""

from __future__ import annotations

from harness.peer.stage import Role

_REPLIES = {"hello": "echo", "echo": "confirm", "confirm": "settled"}
_PROOF = {Role.OFFERER: "echo", Role.ANSWERER: "confirm"}


class Exchange:
    """One side's view of the exchange: what to say next, and whether it is proven."""

    def __init__(self, role: Role) -> None:
        self.proven = False
        """Whether a message came that can only follow one of ours."""
        self.settled = False
        """Whether the other side knows it too, as far as this side can tell."""
        self._proof = _PROOF[role]
        self._expected = ("echo", "settled") if role is Role.OFFERER else ("hello", "confirm")

    def opening(self) -> str:
        """What the offerer says as soon as the channel is open."""
        return "hello"

    def heard(self, message: str | bytes) -> str | None:
        """Takes a message of the other side; returns what to answer. Unknown messages are ignored."""
        if not isinstance(message, str) or message not in self._expected:
            return None
        self.proven = self.proven or message == self._proof
        self.settled = self.settled or message in {"settled", "confirm"}
        return _REPLIES.get(message)
