"""How good a connection is: loss and jitter by RFC 3550, and an estimate of how speech would sound; pure."""

from __future__ import annotations

from dataclasses import dataclass

ENOUGH = 5
"""So many RTP packets prove that media flows."""
_REMEMBERED = 512
"""So many numbers are kept to tell a packet that came twice: ten seconds of audio."""
_HALF, _WHOLE = 1 << 15, 1 << 16


class Receipt:
    """The RTP packets of one stream, counted by sequence number.

    Args:
        clock_rate: of the stream's timestamps, in hertz.
    """

    def __init__(self, clock_rate: int) -> None:
        self.received = 0
        """Packets that came, each counted once."""
        self.gaps = 0
        """How often the numbers jumped forward."""
        self.repeated = 0
        self.reordered = 0
        self.jitter = 0.0
        """Interarrival jitter in seconds (RFC 3550 section 6.4.1, as in A.8)."""
        self._rate = clock_rate
        self._first = self._highest = -1
        self._recent: dict[int, None] = {}
        self._timestamp: int | None = None
        self._arrival = 0.0

    def note(self, sequence: int, timestamp: int, arrival: float) -> None:
        """Takes a packet: its 16-bit number, its timestamp, and when it came in seconds."""
        number = self._extended(sequence)
        if number in self._recent:
            self.repeated += 1
            return
        self._remember(number)
        self.received += 1
        if number < self._highest:
            self.reordered += 1
            self._first = min(self._first, number)
            return
        self.gaps += self.received > 1 and number > self._highest + 1
        self._highest = number
        self._note_transit(timestamp, arrival)

    @property
    def expected(self) -> int:
        """How many packets there were, from the first to the last that came (RFC 3550 A.3)."""
        return self._highest - self._first + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """Packets in between that did not come."""
        return self.expected - self.received

    @property
    def proven(self) -> bool:
        """Whether enough came to call it media."""
        return self.received >= ENOUGH

    def _extended(self, sequence: int) -> int:
        """The number without its wrap-around (RFC 3550 A.1): the one nearest to the highest so far."""
        if self._highest < 0:
            self._first = self._highest = sequence + _WHOLE
            return self._first
        return self._highest + (sequence - self._highest + _HALF) % _WHOLE - _HALF

    def _remember(self, number: int) -> None:
        self._recent[number] = None
        if len(self._recent) > _REMEMBERED:
            del self._recent[next(iter(self._recent))]

    def _note_transit(self, timestamp: int, arrival: float) -> None:
        """Packets of one picture share a timestamp and are sent in a row: only the first of them counts."""
        if timestamp == self._timestamp:
            return
        if self._timestamp is not None:
            ticks = (timestamp - self._timestamp + 2**31) % 2**32 - 2**31
            self.jitter += (abs(arrival - self._arrival - ticks / self._rate) - self.jitter) / 16
        self._timestamp, self._arrival = timestamp, arrival


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured on a connection.

    `rtt` is the mean round trip of the heartbeats and `jitter` that of RFC 3550, both in seconds; `loss` is a share
    from 0 to 1. None where nothing was there to be measured.
    """

    rtt: float | None = None
    jitter: float | None = None
    loss: float | None = None

    @property
    def mos(self) -> float | None:
        """The estimated mean opinion score of audio, 1 to 4.5; None without a round trip, jitter and loss."""
        if self.rtt is None or self.jitter is None or self.loss is None:
            return None
        return mean_opinion_score(self.rtt, self.jitter, self.loss)


def mean_opinion_score(rtt: float, jitter: float, loss: float) -> float:
    """An estimate of how speech sounds, by the simplified E-model that PingPlotter made common.

    With the round trip (not one way) and the jitter in milliseconds, and the loss in per cent:
    `eff = rtt + 2·jitter + 10`; `R = 93.2 - eff/40` where eff < 160, else `93.2 - (eff - 120)/10`; `R -= 2.5·loss`;
    `MOS = 1 + 0.035·R + 0.000007·R·(R - 60)·(100 - R)`. R is kept between 0 and 100.

    Args:
        rtt: round trip in seconds.
        jitter: in seconds.
        loss: share from 0 to 1.
    """
    effective = 1000 * (rtt + 2 * jitter) + 10
    rating = 93.2 - (effective / 40 if effective < 160 else (effective - 120) / 10) - 250 * loss
    rating = min(max(rating, 0.0), 100.0)
    return round(1 + 0.035 * rating + 7e-6 * rating * (rating - 60) * (100 - rating), 3)
