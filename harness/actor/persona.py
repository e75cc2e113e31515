"""How a user behaves: what he asks for, how long he talks, and how long he puts up with things."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from harness.client.participant import Hears


@dataclass(frozen=True)
class Persona:
    """The parameters of a journey; times in seconds."""

    name: str = "search_and_chat"
    mode: str = "global"
    """The match mode that he joins with: `global` or `buddies_first`."""
    hears: Hears = "both"
    """How he learns of his match. Signals reach him by his socket in any case."""
    talk: tuple[float, float] = (4.0, 6.0)
    """From the sight of the match to its end by the offerer: at least, at most."""
    peer_share: float = 0.0
    """The share of sessions that make a real WebRTC connection; the others exchange the same signals only."""
    handshake: float = 10.0
    """How long he tries to connect."""
    patience: float | None = None
    """How long he waits for a match; None: until the quiet time at the end."""
    goodbye: float = 3.0
    """How long after the longest talk he waits to be told of the end, before he ends the session himself."""

    def talk_time(self, seed: int) -> float:
        """How long a user with this seed talks when he is the offerer."""
        return random.Random(seed).uniform(*self.talk)

    def is_real(self, session_id: str) -> bool:
        """Whether a session gets real peers. Both members come to the same answer, for it lies in the id alone."""
        digest = hashlib.sha256(session_id.encode()).digest()
        return int.from_bytes(digest[:8]) < self.peer_share * 2**64
