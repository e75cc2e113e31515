"""The rules of the claims: from the facts of one experiment on one engine to what became of a claim. All pure."""

from __future__ import annotations

from harness.cli.claims.experiments.burst import JOINS, BurstFacts
from harness.cli.claims.experiments.crashes import CrashFacts
from harness.cli.claims.experiments.endings import EndingFacts
from harness.cli.claims.experiments.matching import MatchingFacts
from harness.cli.claims.experiments.networks import FITTED, NetworkFacts
from harness.cli.claims.experiments.notice import NoticeFacts
from harness.cli.claims.experiments.orphans import OrphanFacts
from harness.cli.claims.experiments.partners import PartnerFacts
from harness.cli.claims.experiments.polling import REALISTIC_PER_S, PollingFacts
from harness.cli.claims.experiments.relaying import RelayFacts
from harness.cli.claims.experiments.serving import ServingFacts
from harness.cli.claims.experiments.statements import StatementFacts
from harness.cli.claims.experiments.steady import SteadyFacts
from harness.cli.claims.experiments.strangers import StrangerFacts
from harness.cli.claims.verdicts import about, figure, ruled, share, share_text, untestable
from harness.results.claims import ClaimMeasured

QUICK = "the quick form leaves it out"
NO_RELAY = "no TURN server is part of it"
_STEPS = {"delete_stale": 5.0, "select_partner": 2.0, "delete_matched": 2.0, "insert_session": 2.0}
"""The document's milliseconds for each statement."""
_RELAY_MBIT = 100.0
"""The network that the document gives to its relay, in megabits per second."""
_MANAGEABLE_MS = 500.0


# ---------------------------------------------------------------- sections 3 and 6: matching
def no_double_match(facts: SteadyFacts) -> ClaimMeasured:
    """Nobody is in two sessions."""
    return ruled(
        facts.doubled == 0,
        f"of {facts.users} users {facts.doubled} were in two sessions at once",
        doubled=share(facts.doubled, facts.users),
    )


def one_session(facts: SteadyFacts) -> ClaimMeasured:
    """The same, as a share of the sessions."""
    right = facts.sessions - facts.wrong_sessions
    return ruled(
        facts.wrong_sessions == 0,
        f"{share_text(right, facts.sessions)} sessions are their members' only ones",
        correct=share(right, facts.sessions),
    )


def busy_is_handled(facts: MatchingFacts) -> ClaimMeasured:
    """Who meets a busy lock is matched all the same; an odd one may be over."""
    return ruled(
        facts.unmatched_users <= 1,
        f"{facts.busy} of {facts.calls} calls found the lock taken; "
        f"{facts.unmatched_users} of {facts.users} users were matched with nobody",
        unmatched=share(facts.unmatched_users, facts.users),
    )


def lock_hold(facts: MatchingFacts) -> ClaimMeasured:
    """Ten to fifteen milliseconds, within the tolerance of an approximate figure."""
    tail = "" if facts.hold_p95_ms is None else f", p95 {facts.hold_p95_ms:.3g} ms"
    said = f"{facts.hold_ms:.3g} ms{tail}" if facts.steps_ms else f"{facts.hold_ms:.3g} ms for a batch of joins"
    return ruled(about(facts.hold_ms, 10, 15), said, hold_ms=figure(facts.hold_ms))


def lock_steps(facts: MatchingFacts) -> ClaimMeasured:
    """Each statement takes about what the document says."""
    if facts.steps_ms is None:
        return untestable("one pass pairs a whole batch: there are no such statements")
    said = ", ".join(f"{name} {taken:.2g} ms" for name, taken in facts.steps_ms.items())
    held = all(about(facts.steps_ms[name], claimed) for name, claimed in _STEPS.items())
    return ruled(held, said, **{f"{name}_ms": figure(taken) for name, taken in facts.steps_ms.items()})


def throughput(facts: MatchingFacts) -> ClaimMeasured:
    """About sixty-six, all matches counted; those that are correct are said beside them."""
    return ruled(
        about(facts.matches_per_s, 66),
        f"{facts.matches_per_s:,.0f} matches/s, of which {facts.correct_per_s:,.0f}/s are correct",
        matches_per_s=figure(facts.matches_per_s, facts.sessions),
        correct_matches_per_s=figure(facts.correct_per_s, facts.sessions - facts.wrong_sessions),
    )


def bottleneck(facts: MatchingFacts) -> ClaimMeasured:
    """Whether joins wait longer for a connection than their matching takes."""
    if not facts.find_match_ms:
        return untestable("its joins take no connection of their own")
    return ruled(
        facts.pool_wait_ms > facts.find_match_ms,
        f"a statement waits {facts.pool_wait_ms:.2g} ms for a connection on average; "
        f"find_match takes {facts.find_match_ms:.3g} ms",
        pool_wait_ms=figure(facts.pool_wait_ms),
        find_match_ms=figure(facts.find_match_ms),
    )


def request_cpu(facts: MatchingFacts) -> ClaimMeasured:
    """Our own server's figure, which says nothing of the provider's."""
    return untestable(
        "the provider's runtime is not here",
        f"our server takes {facts.join_cpu_ms:.2g} ms of processor time for a join and its match",
        join_cpu_ms=figure(facts.join_cpu_ms),
    )


# ---------------------------------------------------------------- section 5: queries and polls
def queries_per_match(facts: StatementFacts) -> ClaimMeasured:
    """Five or six."""
    seen = facts.at_least_per_match
    said = f"at least {seen:.3g} a match: {facts.sent} statements sent, {facts.writes} writes, {facts.matches} matches"
    return ruled(5 <= seen <= 6, said, queries_per_match=figure(seen, facts.matches))


def queries_per_poll(facts: StatementFacts) -> ClaimMeasured:
    """One that reads; BEGIN, the caller's rights and COMMIT are told beside it, for the document counts no such."""
    reads, sent = facts.poll_reads / facts.polls, facts.poll_statements / facts.polls
    return ruled(
        reads == 1,
        f"{reads:.3g} statement that reads a poll, {sent:.3g} in all: BEGIN, the caller's rights and COMMIT count, too",
        reads_per_poll=figure(reads, facts.polls),
        statements_per_poll=figure(sent, facts.polls),
    )


def poll_rate(facts: PollingFacts) -> ClaimMeasured:
    """A third of a poll per second and user."""
    return ruled(
        about(facts.per_user_per_s, 1 / 3),
        f"{facts.per_user_per_s:.3g} polls/s of a waiting user, over {facts.seconds:g} s and {facts.waiting} users",
        polls_per_s=figure(facts.per_user_per_s, facts.polls),
    )


def polls_at_10k(facts: PollingFacts) -> ClaimMeasured:
    """The measured rate of one, ten thousand times; and whether this stack bears it."""
    asked = 10_000 * facts.per_user_per_s
    return ruled(
        about(asked, 3333),
        f"10,000 users would send {asked:,.0f}/s; this machine answers {facts.sustained_per_s:,.0f}/s, "
        f"and the statement alone runs {facts.sql_per_s:,.0f} times a second",
        asked_per_s=figure(asked),
        answered_per_s=figure(facts.sustained_per_s, facts.sustained),
        statements_per_s=figure(facts.sql_per_s),
    )


def realistic_polls(facts: PollingFacts) -> ClaimMeasured:
    """None fails, and they are answered in half a second."""
    return ruled(
        facts.realistic_failed == 0 and facts.realistic_p99_ms <= _MANAGEABLE_MS,
        f"at {REALISTIC_PER_S}/s p99 is {facts.realistic_p99_ms:.3g} ms, and {facts.realistic_failed} failed",
        p99_ms=figure(facts.realistic_p99_ms, facts.realistic),
    )


def polling_attack(facts: PollingFacts) -> ClaimMeasured:
    """Whether a client of bad will keeps to the interval of good ones."""
    return ruled(
        about(facts.one_client_per_s, 1 / 3),
        f"one client alone, with one request under way at a time, makes {facts.one_client_per_s:,.0f} queries/s",
        one_client_per_s=figure(facts.one_client_per_s),
    )


def told_by_push(facts: NoticeFacts) -> ClaimMeasured:
    """For certain more than half of those who search: the whole interval lies above."""
    pushed = share(facts.pushed, facts.users)
    return ruled(
        pushed.interval_95 is not None and pushed.interval_95[0] > 0.5,
        f"{share_text(facts.pushed, facts.users)} heard by push, {facts.polled} by poll, {facts.unmatched} nothing",
        pushed=pushed,
    )


# ---------------------------------------------------------------- section 7 and 10: networks and relays
def needs_relay(facts: NetworkFacts) -> ClaimMeasured:
    """Between a tenth and a seventh in every published mix, within the tolerance of an approximate figure."""
    if facts.relay:
        return untestable("its users have a relay: what they would lose without one shows on the other engine")
    lost = {mix: 1 - made / tried for mix, (tried, made) in facts.by_mix.items() if mix != FITTED}
    of_each = ", ".join(f"{tried}" for tried in sorted({tried for tried, _ in facts.by_mix.values()}))
    said = ", ".join(f"{mix} {100 * part:.3g} %" for mix, part in sorted(lost.items())) + f" (of {of_each} each)"
    held = all(about(part, 0.10, 0.15) for part in lost.values())
    counted = {mix: share(tried - made, tried) for mix, (tried, made) in facts.by_mix.items()}
    return ruled(held, f"pairs that fail without a relay: {said}", **counted)


def relay_connects_all(facts: NetworkFacts) -> ClaimMeasured:
    """One way to the relay connects every pair: a client that is offered all of them takes the one that works."""
    if not facts.relay:
        return untestable(NO_RELAY)
    said = ", ".join(f"by {arm} {share_text(made, tried)}" for arm, (tried, made) in facts.by_arm.items())
    counted = {arm: share(made, tried) for arm, (tried, made) in facts.by_arm.items()}
    return ruled(any(tried == made for tried, made in facts.by_arm.values()), said, **counted)


def relay_users(facts: RelayFacts | None) -> ClaimMeasured:
    """Five hundred allocations, and the network that the document gives to them, on two cores."""
    if facts is None:
        return untestable(NO_RELAY)
    carried = facts.mbit_per_s_on_two_cores
    said = f"{facts.allocated} of {facts.users} allocations, and {carried:,.0f} Mbit/s on two cores by extrapolation"
    counted = {"allocated": figure(facts.allocated), "mbit_per_s": figure(carried)}
    if facts.users < 500:
        return untestable(QUICK, said, **counted)
    return ruled(facts.allocated == facts.users and carried >= _RELAY_MBIT, said, **counted)


# ---------------------------------------------------------------- section 8: failures
def stale_never_matched(facts: OrphanFacts) -> ClaimMeasured:
    """Nobody meets an entry that is older than two minutes."""
    return ruled(
        facts.matched_when_stale == 0,
        f"{share_text(facts.matched_when_stale, facts.trials)} were matched with an entry of 121 s",
        matched=share(facts.matched_when_stale, facts.trials),
    )


def fresh_blocks(facts: OrphanFacts) -> ClaimMeasured:
    """Within the two minutes, who comes meets a user who is gone."""
    return ruled(
        facts.matched_when_fresh > 0,
        f"{share_text(facts.matched_when_fresh, facts.fresh_trials)} met an entry of 60 s of a closed tab",
        matched=share(facts.matched_when_fresh, facts.fresh_trials),
    )


def deleted_unasked(facts: OrphanFacts) -> ClaimMeasured:
    """A stale entry goes though nobody joins."""
    became = "goes" if facts.swept_unasked else "stays"
    return ruled(facts.swept_unasked, f"while nobody joins, a stale entry {became}")


def rejoin_renews(facts: OrphanFacts) -> ClaimMeasured:
    """A second join leaves one row."""
    return ruled(
        facts.single_entries == facts.rejoins,
        f"{facts.single_entries} of {facts.rejoins} second joins left one row",
        single=share(facts.single_entries, facts.rejoins),
    )


def batch_cleanup(facts: OrphanFacts) -> ClaimMeasured:
    """The function removes an old entry."""
    if facts.cleanup_removes is None:
        return ClaimMeasured(verdict="broken", measured="there is no such function")
    became = "is removed" if facts.cleanup_removes else "stays"
    return ruled(facts.cleanup_removes, f"an entry of 10 minutes {became}")


def partner_notices(facts: PartnerFacts) -> ClaimMeasured:
    """Each of those who are left knows, by his own connection or because the session is over."""
    seen = facts.noticed_s
    when = f", after {min(seen):.2g} to {max(seen):.2g} s" if seen else ""
    said = f"in {len(seen)} of {facts.calls} calls the one who was left noticed{when}"
    return ruled(len(seen) == facts.calls, said, noticed=share(len(seen), facts.calls))


def not_ended_by_leaving(facts: EndingFacts) -> ClaimMeasured:
    """A session of which both members are gone stays active."""
    return ruled(
        facts.ended_when_both_vanished == 0,
        f"of {facts.trials} sessions whose members both vanished, {facts.ended_when_both_vanished} ended",
    )


def ended_by_hand(facts: EndingFacts) -> ClaimMeasured:
    """The button ends it."""
    return ruled(facts.ended_by_hand == facts.trials, f"{facts.ended_by_hand} of {facts.trials} sessions ended")


def ended_by_next_join(facts: EndingFacts) -> ClaimMeasured:
    """A member's next search ends it."""
    return ruled(
        facts.ended_by_next_join == facts.trials,
        f"{facts.ended_by_next_join} of {facts.trials} sessions ended when a member searched again",
    )


def ended_by_age(facts: EndingFacts) -> ClaimMeasured:
    """It ends by itself; in scaled time, two hours are two seconds."""
    by_hand = {True: "ends one of two hours", False: "leaves one of two hours", None: "does not exist"}
    return ruled(
        facts.ended_by_age == facts.trials,
        f"{facts.ended_by_age} of {facts.trials} sessions ended by themselves past their greatest age; "
        f"cleanup_matchmaking() {by_hand[facts.ended_by_cleanup]}",
    )


# ---------------------------------------------------------------- sections 11 and 12: instances and restarts
def any_instance(facts: ServingFacts) -> ClaimMeasured:
    """Users of different instances meet."""
    return ruled(
        facts.matched == facts.pairs,
        f"{facts.matched} of {facts.pairs} pairs across two instances were both told of one session",
    )


def next_request(facts: ServingFacts) -> ClaimMeasured:
    """One request at most fails, and not the last."""
    return ruled(
        facts.failed <= 1 and not facts.failed_last,
        f"after an instance was killed, {facts.failed} of {facts.requests} requests failed",
    )


def waiting_users_kept(facts: CrashFacts) -> ClaimMeasured:
    """Who was told that he has joined is in the queue or in a session."""
    said = f"{facts.lost} of {facts.joined} users were lost when the server was killed"
    return ruled(
        facts.lost == 0, f"{said}; {facts.side_by_side} still waited side by side later", lost=figure(facts.lost)
    )


def rows_kept(facts: CrashFacts) -> ClaimMeasured:
    """The queue is what it was."""
    said = f"{facts.rows_after} of {facts.rows} queue rows were there after PostgreSQL was killed"
    return ruled(facts.rows == facts.rows_after, said)


def sockets_back(facts: CrashFacts) -> ClaimMeasured:
    """All come back, and hear of matches again."""
    return ruled(
        facts.sockets_back == facts.sockets and facts.told_by_push == 2,
        f"{facts.sockets_back} of {facts.sockets} sockets came back by themselves; "
        f"{facts.told_by_push} of a pair of 2 were told by push afterwards",
    )


# ---------------------------------------------------------------- sections 13, 15 and 17
def auth_first(facts: StrangerFacts) -> ClaimMeasured:
    """Strangers are refused before anything is written."""
    said = f"no token {facts.without_token}, a forged one {facts.with_forged_token}, a good one {facts.with_good_token}"
    held = (facts.without_token, facts.with_forged_token) == (401, 401) and facts.with_good_token == 200
    return ruled(held and facts.entries_of_strangers == 0, said)


def first_ten(facts: BurstFacts) -> ClaimMeasured:
    """About ten of one user's hundred."""
    said = f"{facts.taken} of one user's {JOINS} joins were taken, and {facts.others_taken} of {JOINS} users' one each"
    return ruled(about(facts.taken, 10), said, taken=figure(facts.taken, JOINS))


def no_rate_limit(facts: BurstFacts) -> ClaimMeasured:
    """No join is refused because there were too many."""
    refused = facts.one_user.get(429, 0)
    return ruled(refused == 0, f"{refused} of one user's {JOINS} joins were answered 429", refused=figure(refused))


def others_fail(facts: BurstFacts) -> ClaimMeasured:
    """Whether any is answered with 500, and what the answers are."""
    failed = sum(count for status, count in {**facts.one_user}.items() if status >= 500)
    failed += sum(count for status, count in facts.many_users.items() if status >= 500)
    counted = ", ".join(f"{count} × {status}" for status, count in facts.one_user.items())
    return ruled(
        failed > 0, f"{failed} of {2 * JOINS} were answered with 5xx; one user's: {counted}", failed=figure(failed)
    )


def one_entry(facts: BurstFacts) -> ClaimMeasured:
    """A user's hundred joins leave one row at most."""
    said = f"{facts.entries} rows of a user who joined {JOINS} times at once"
    return ruled(facts.entries <= 1, said, entries=figure(facts.entries))
