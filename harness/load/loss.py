"""What is added to the journal of a worker that was lost, so that its silence accuses nobody.

The journal of a killed process ends at one moment, with the calls under way as `info`; what it did in the half second
after it is unknown, and at the master perhaps some more. So each of its users may have given a sign of life since, and
has lost his socket; what others saw of him that only a call of his explains, he may have called. The arrivals that the
process should have started are dropped, and counted as lost with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from harness.checkers.generator import GENERATOR_LOST
from harness.checkers.timeline import sighting_of
from harness.history.journal import read_history
from harness.history.lines import op_line
from harness.history.op import Op, Outcome, Via

_Signal = tuple[str, str, Any]


def write_off(path: Path, others: Iterable[Path]) -> None:
    """Ends the journal of a lost worker; one that it never began stays away.

    Args:
        path: the journal.
        others: those of the other workers.

    Raises:
        Trouble: one of them cannot be read.
    """
    if not path.exists():
        return
    ops = read_history(path)
    more = parting(ops, [op for other in others for op in read_history(other)])
    with path.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)  # the last line may be torn
        file.seek(0, 2)
        file.writelines(op_line(op) for op in more)


def parting(ops: Sequence[Op], others: Sequence[Op]) -> list[Op]:
    """The ops that follow from the loss of a process.

    Args:
        ops: all that is known of it.
        others: what the users of other processes did and saw.
    """
    if not ops:
        return []
    at = max(op.t0 if op.t1 is None else op.t1 for op in ops)
    numbers = count(max(op.n for op in ops) + 1)
    process, seed = ops[0].process, ops[0].seed

    def noted(who: tuple[str, str], kind: str, t1: float | None, via: Via, value: dict[str, Any]) -> Op:
        outcome = Outcome.INFO if t1 is None else Outcome.OK
        return Op(next(numbers), at, t1, process, *who, kind, outcome, via, value, seed)

    last = {(op.user, op.device): op for op in ops if op.user}
    found = [noted(who, kind, None, Via.HTTP, value) for who, kind, value in _unseen(ops, others)]
    for who in (who for who, op in last.items() if op.op != "disconnect"):
        found.append(noted(who, "heartbeat", None, Via.WS, {}))
        found.append(noted(who, "lost", at, Via.WS, {"reason": GENERATOR_LOST}))
    if (note := _last_note(ops)) is not None:
        found.append(noted(("", ""), "generator", at, Via.SELF, note))
    return found


def _unseen(ops: Sequence[Op], others: Sequence[Op]) -> Iterator[tuple[tuple[str, str], str, dict[str, Any]]]:
    """Calls that users of the lost process must have made, by what others saw: user and device, kind, value."""
    devices = {op.user: op.device for op in ops if op.user}
    sent = {_signal(op.user, op) for op in ops if op.op == "signal_send"}
    received = {
        _signal(str(op.value.get("sender")), op): op for op in others if op.op == "signal_recv"
    }  # a signal that is received twice was sent once
    for signal, op in received.items():
        if signal[1] in devices and signal not in sent:
            told = {key: op.value.get(key) for key in ("id", "seq", "type")}
            yield (signal[1], devices[signal[1]]), "signal_send", told
    for user, times in _unseen_joins(ops, others).items():
        for _ in range(times):
            yield (user, devices[user]), "join", {}


def _unseen_joins(ops: Sequence[Op], others: Sequence[Op]) -> dict[str, int]:
    """How often each user may have joined once more: for each session of his that he had not seen when he was lost."""
    users = {op.user for op in ops if op.user}
    own = [(op.user, sight.session) for op in ops if (sight := sighting_of(op)) is not None]
    sights = [sight for op in (*ops, *others) if (sight := sighting_of(op)) is not None]
    sessions = {(user, sight.session) for sight in sights for user in sight.members if user in users}
    return Counter(user for user, _ in sessions - set(own))


def _signal(sender: str, op: Op) -> _Signal:
    return str(op.value.get("id")), sender, op.value.get("seq")


def _last_note(ops: Sequence[Op]) -> dict[str, Any] | None:
    """What the process noted of itself, with the joins that came after, and with what it will never start."""
    note = next((op.value for op in reversed(ops) if op.op == "generator"), None)
    if note is None:
        return None
    started = max(note["started"], len({op.user for op in ops if op.op == "join" and op.due is not None}))
    missed = max(0, note["offered"] - started - note["dropped"])
    return note | {"started": started, "dropped": note["dropped"] + missed, "lost": missed}
