"""Whether the other side's numbered signals came complete, once each, and in order; pure."""

from __future__ import annotations


class Order:
    """The numbers of one sender's signals, as they came. A sender who does not number his signals is never blamed."""

    def __init__(self) -> None:
        self.repeated: list[int] = []
        """Numbers that came more than once."""
        self.late: list[int] = []
        """Numbers that came after a higher one."""
        self._seen: set[int] = set()
        self._highest = 0

    def note(self, seq: int | None) -> None:
        """Takes the number of a signal that came; they count from 1."""
        if seq is None:
            return
        if seq in self._seen:
            self.repeated.append(seq)
        elif seq < self._highest:
            self.late.append(seq)
        self._seen.add(seq)
        self._highest = max(self._highest, seq)

    @property
    def missing(self) -> list[int]:
        """Numbers below the highest that have not come."""
        return sorted(set(range(1, self._highest)) - self._seen)

    def disorder(self) -> dict[str, int]:
        """How many are missing, repeated and late; empty when all came once and in order."""
        found = {"missing": len(self.missing), "repeated": len(self.repeated), "late": len(self.late)}
        return {what: count for what, count in found.items() if count}
