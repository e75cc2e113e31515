"""Signals: SG-S1 to SG-S4, what a target does with the messages of a handshake.

How the four share the requirement: SG-S1 none lost, and in order · SG-S2 none doubled · SG-S3 none across sessions, and
none that nobody sent, so that no answer comes before there is an offer · SG-S4 exactly one offerer, or glare resolved.

A signal is known by (session, sender, seq). A target may push a message more than once, under one message id: clients
tell them apart by it, and record each once. Two ids for one signal are two stored messages. What the target itself
writes into a session (`call-ended`, for a user who vanished) is no signal of a user and is left out everywhere.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from msgspec import Struct, field

from harness.checkers.telling import Teller, short
from harness.checkers.timeline import Facts, SessionFacts
from harness.checkers.watching import Watches
from harness.history.op import FAIL, OK, Op
from harness.results.finding import CheckResult

_OWN = "call-ended"
Key = tuple[str, str, int]
"""Session, sender, seq."""


class SentSignal(Struct, gc=False):
    """One signal: each try to send it that took effect or may have, and each sight of it."""

    sends: list[Op] = field(default_factory=list)
    receipts: list[Op] = field(default_factory=list)


def _signals(facts: Facts) -> dict[Key, SentSignal]:
    """All numbered signals of a history, gathered once."""
    if facts.signals is None:
        facts.signals = _gathered(facts)
    return facts.signals


def _gathered(facts: Facts) -> dict[Key, SentSignal]:
    found: defaultdict[Key, SentSignal] = defaultdict(SentSignal)
    for op in facts.kinds.get("signal_send", []):
        if op.outcome is not FAIL and (key := _key(op, op.user)) is not None:
            found[key].sends.append(op)
    for op in facts.kinds.get("signal_recv", []):
        if (key := _key(op, str(op.value.get("sender")))) is not None:
            found[key].receipts.append(op)
    return dict(found)


def _key(op: Op, sender: str) -> Key | None:
    """Which signal of a user an op is about; None where it is the target's own, or has no number."""
    seq = op.value.get("seq")
    return (str(op.value.get("id")), sender, seq) if op.value.get("type") != _OWN and isinstance(seq, int) else None


# ------------------------------------------------------------------------------------- SG-S1: none lost, in order


def none_lost_and_in_order(facts: Facts) -> CheckResult:
    """SG-S1: an accepted signal reaches the partner, and those of one sender reach him in the order of their sending.

    It must have reached a partner whose subscription stood from before the sending until `notify` + tolerance after it,
    and one who fetched the session's messages thereafter. Order is judged between signals that came the same way, of a
    sender who used one device.
    """
    teller = Teller(facts, "SG-S1")
    signals = _signals(facts)
    checked = _tell_lost(teller, facts, signals)
    for earlier, later, first, second in _misordered(signals):
        session, sender, seq = earlier
        teller.find(
            f"signal {seq} ({first.value.get('type')}) of {short(sender)} in session {short(session)} came to "
            f"{short(first.user)} at {teller.at(first.t0)}, after signal {later[2]} ({second.value.get('type')}), "
            f"which was sent after it and came at {teller.at(second.t0)}",
            users=(sender, first.user), sessions=(session,), at=first.t0,
            witness=(signals[earlier].sends[0], signals[later].sends[0], second, first),
        )  # fmt: skip
    detail = "" if checked else "no accepted signal had a partner who must have received it"
    return CheckResult(requirement="SG-S1", checked=checked, findings=tuple(teller.findings), detail=detail)


def _tell_lost(teller: Teller, facts: Facts, signals: dict[Key, SentSignal]) -> int:
    """Adds a finding for each lost signal; returns how many had to arrive."""
    fetches: dict[tuple[str, str], list[Op]] = {}
    for op in facts.kinds.get("fetch", []):
        fetches.setdefault((op.user, str(op.value.get("id"))), []).append(op)
    watches: dict[str, Watches] = {}
    checked = 0
    for (session, sender, seq), signal in signals.items():
        partner = _partner(facts, session, sender)
        accepted = [op for op in signal.sends if op.outcome is OK and op.t1 is not None]
        if partner is None or not accepted:
            continue
        if partner in [op.user for op in signal.receipts]:
            checked += 1
            continue
        if partner not in watches:
            watches[partner] = Watches(facts.users[partner])
        sent = accepted[0]
        proof = _had_to_arrive(facts, session, sent, watches[partner], fetches.get((partner, session), []))
        if proof is None:
            continue
        checked += 1
        how, ops = proof
        teller.find(
            f"signal {seq} ({sent.value.get('type')}) of {short(sender)} in session {short(session)} was accepted at "
            f"{teller.at(sent.t1 or sent.t0)} and never came to {short(partner)}, "
            f"{how.format(at=teller.at(ops[-1].t0))}",
            users=(sender, partner), sessions=(session,), at=ops[-1].t0, witness=(sent, *ops),
        )  # fmt: skip
    return checked


def _partner(facts: Facts, session: str, sender: str) -> str | None:
    """The other member, where the history has seen the session and knows him."""
    seen = facts.sessions.get(session)
    if seen is None or seen.muddled or sender not in seen.members:
        return None
    partner = seen.partner_of(sender)
    return partner if partner in facts.users else None


def _had_to_arrive(
    facts: Facts, session: str, sent: Op, watches: Watches, fetches: list[Op]
) -> tuple[str, tuple[Op, ...]] | None:
    """How it is known that the partner had to receive it, with the ops that show it."""
    accepted = sent.t1 if sent.t1 is not None else math.inf
    whole = next((op for op in fetches if op.outcome is OK and op.t0 > accepted), None)
    if whole is not None:
        return "who fetched all messages at {at}", (whole,)
    if any(op.outcome is not OK for op in fetches):
        return None  # what is pushed is held back until a fetch succeeds
    due = accepted + facts.budgets.notify + facts.budgets.tolerance
    standing = watches.standing(f"session:{session}", sent.t0, due) if facts.capabilities.push else None
    if standing is None:
        return None
    return "who was subscribed all the while and still connected at {at}", (standing[0].op, standing[1])


def _misordered(signals: dict[Key, SentSignal]) -> Iterator[tuple[Key, Key, Op, Op]]:
    """Signals that came after one that was certainly sent later: (earlier, later, receipt, receipt of the later)."""
    arrived: dict[tuple[str, str, str, str, str], list[tuple[Op, Key]]] = {}
    devices: dict[tuple[str, str], set[str]] = {}
    for (session, sender, seq), signal in signals.items():
        used = devices.setdefault((session, sender), set())
        for op in signal.sends:
            used.add(op.device)
        seen: set[tuple[str, str]] = set()
        for op in signal.receipts:
            if len(signal.sends) == 1 and (op.user, op.device) not in seen:
                seen.add((op.user, op.device))
                way = (session, sender, op.user, op.device, str(op.value.get("by", "")))
                arrived.setdefault(way, []).append((op, (session, sender, seq)))
    for way, receipts in arrived.items():
        if len(devices[way[0], way[1]]) > 1:
            continue
        receipts.sort(key=lambda receipt: (receipt[0].t0, receipt[0].n))
        for (second, later), (first, earlier) in pairwise(receipts):
            sent, after = signals[earlier].sends[0], signals[later].sends[0]
            if sent.outcome is OK and (sent.t1 or math.inf) < after.t0 and second.t0 < first.t0:
                yield earlier, later, first, second


# ------------------------------------------------------------------------------------- SG-S2: none doubled


def none_doubled(facts: Facts) -> CheckResult:
    """SG-S2: a signal that was sent once is stored once: nobody sees it under two message ids."""
    teller = Teller(facts, "SG-S2")
    checked = 0
    for (session, sender, seq), signal in _signals(facts).items():
        copies: dict[str, Op] = {}
        for op in signal.receipts:
            if op.value.get("message"):
                copies.setdefault(str(op.value["message"]), op)
        checked += bool(copies and signal.sends)
        if signal.sends and len(copies) > len(signal.sends):
            times = "once" if len(signal.sends) == 1 else f"{len(signal.sends)} times at most"
            teller.find(
                f"signal {seq} ({signal.sends[0].value.get('type')}) of {short(sender)} in session {short(session)} "
                f"was sent {times} and is stored {len(copies)} times: "
                f"{', '.join(short(message) for message in list(copies)[:4])}",
                users=(sender, *dict.fromkeys(op.user for op in copies.values())), sessions=(session,),
                at=max(op.t0 for op in copies.values()), witness=(*signal.sends[:2], *list(copies.values())[:4]),
            )  # fmt: skip
    detail = "" if checked else "no signal was received with its message id"
    return CheckResult(requirement="SG-S2", checked=checked, findings=tuple(teller.findings), detail=detail)


# ------------------------------------------------------------------------------------- SG-S3: none across sessions


def none_across_sessions(facts: Facts) -> CheckResult:
    """SG-S3: a signal stays within its session, and none comes that nobody sent: no answer before there is an offer.

    Broken by a signal that comes to somebody outside its session, or on the channel of another one, or in the name of
    somebody who is known to the history and had not sent it there.
    """
    teller = Teller(facts, "SG-S3")
    checked = 0
    for (session, sender, seq), signal in _signals(facts).items():
        seen = facts.sessions.get(session)
        for op in signal.receipts:
            checked += 1
            wrong = _astray(facts, seen, session, sender, signal, op)
            if wrong is not None:
                teller.find(
                    f"signal {seq} ({op.value.get('type')}) of {short(sender)} in session {short(session)} came to "
                    f"{short(op.user)} at {teller.at(op.t0)}, {wrong}",
                    users=(sender, op.user), sessions=(session,), at=op.t0,
                    witness=(seen.first.op if seen else None, *signal.sends[:1], op),
                )  # fmt: skip
                break
    detail = "" if checked else "no signal was received"
    return CheckResult(requirement="SG-S3", checked=checked, findings=tuple(teller.findings), detail=detail)


def _astray(
    facts: Facts, seen: SessionFacts | None, session: str, sender: str, signal: SentSignal, op: Op
) -> str | None:
    """What is wrong with where a signal came from and to; None where nothing is."""
    channel = op.value.get("channel")
    if channel is not None and channel != session:
        return f"on the channel of session {short(str(channel))}"
    if seen is not None and not seen.muddled and op.user not in seen.members:
        return f"who is not in it (it is between {short(seen.members[0])} and {short(seen.members[1])})"
    if seen is not None and not seen.muddled and sender not in seen.members:
        return "from somebody who is not in it"
    if sender in facts.users and not any(send.t0 <= (op.t1 or op.t0) for send in signal.sends):
        return "and had not been sent there" + (
            "" if op.value.get("type") != "answer" else ": an answer before there was an offer"
        )
    return None


# ------------------------------------------------------------------------------------- SG-S4: one offerer


def one_offerer(facts: Facts) -> CheckResult:
    """SG-S4: the target makes exactly one member of a session its offerer, or glare is resolved.

    Broken where the members were told different offerers, where both took the part of the offerer (by `connect`, or by
    sending an offer) and neither answered, or where both took the part of the one who waits.
    """
    teller = Teller(facts, "SG-S4")
    parts = _parts(facts)
    answered = {
        str(op.value.get("id"))
        for kind in ("signal_send", "connect")
        for op in facts.kinds.get(kind, [])
        if op.outcome is not FAIL and (kind == "connect" or op.value.get("type") == "answer")
    }
    checked = 0
    for session in facts.sessions.values():
        if facts.both(session) is None:
            continue
        named = {user: op for user in session.members if (op := _told_offerer(session, user)) is not None}
        taken = {user: part for user in session.members if (part := parts.get((session.session, user))) is not None}
        checked += len(named) == 2 or len(taken) == 2
        wrong = _different(named) or _same_part(taken, session.session in answered)
        if wrong is not None:
            sentence, ops = wrong
            teller.find(
                f"session {short(session.session)} of {short(session.members[0])} and {short(session.members[1])} has "
                f"not one offerer: {sentence}",
                users=session.members, sessions=(session.session,), at=max(op.t0 for op in ops), witness=ops,
            )  # fmt: skip
    detail = "" if checked else "no session showed who must offer to both its members"
    return CheckResult(requirement="SG-S4", checked=checked, findings=tuple(teller.findings), detail=detail)


def _told_offerer(session: SessionFacts, user: str) -> Op | None:
    """The first sight by which a user was told who offers."""
    return next((s.op for s in session.sights if s.op.user == user and s.op.value["session"].get("offerer")), None)


def _different(named: dict[str, Op]) -> tuple[str, tuple[Op, ...]] | None:
    if len(named) < 2:
        return None
    (one, first), (other, second) = named.items()
    mine, his = first.value["session"]["offerer"], second.value["session"]["offerer"]
    if mine == his:
        return None
    both = "both are told to offer" if (mine == one) and (his == other) else "neither is told to offer"
    told = f"{short(one)} was told that {short(str(mine))} offers, {short(other)} that {short(str(his))} does"
    return f"{told}: {both if {mine, his} == {one, other} else 'they were told different things'}", (first, second)


_Part = tuple[str, Op]


def _parts(facts: Facts) -> dict[tuple[str, str], _Part]:
    """By session and user the part that he took: `offerer` or `answerer`."""
    parts: dict[tuple[str, str], _Part] = {}
    for op in facts.kinds.get("signal_send", []):
        if op.value.get("type") == "offer" and op.outcome is OK:
            parts.setdefault((str(op.value.get("id")), op.user), ("offerer", op))
    for op in facts.kinds.get("connect", []):
        if op.value.get("role") in {"offerer", "answerer"}:
            parts.setdefault((str(op.value.get("id")), op.user), (str(op.value["role"]), op))
    return parts


def _same_part(taken: dict[str, _Part], answered: bool) -> tuple[str, tuple[Op, ...]] | None:
    if len(taken) < 2 or answered:
        return None
    (one, (mine, first)), (other, (his, second)) = taken.items()
    if mine != his:
        return None
    what = "both offered, and neither answered" if mine == "offerer" else "both waited for the other's offer"
    return f"{short(one)} and {short(other)} {what}", (first, second)


SIGNALS: dict[str, Callable[[Facts], CheckResult]] = {
    "SG-S1": none_lost_and_in_order,
    "SG-S2": none_doubled,
    "SG-S3": none_across_sessions,
    "SG-S4": one_offerer,
}
