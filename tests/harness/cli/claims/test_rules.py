"""The rules of the claims on made-up facts: each holds where it should, and breaks where it should."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.cli.claims import ceilings, rules
from harness.cli.claims.experiments.burst import BurstFacts
from harness.cli.claims.experiments.crashes import CrashFacts
from harness.cli.claims.experiments.endings import EndingFacts
from harness.cli.claims.experiments.matching import MatchingFacts
from harness.cli.claims.experiments.networks import NetworkFacts
from harness.cli.claims.experiments.notice import NoticeFacts
from harness.cli.claims.experiments.orphans import OrphanFacts
from harness.cli.claims.experiments.partners import PartnerFacts
from harness.cli.claims.experiments.polling import PollingFacts
from harness.cli.claims.experiments.relaying import RelayFacts
from harness.cli.claims.experiments.serving import ServingFacts
from harness.cli.claims.experiments.sockets import SocketFacts
from harness.cli.claims.experiments.statements import StatementFacts
from harness.cli.claims.experiments.steady import SteadyFacts
from harness.cli.claims.experiments.strangers import StrangerFacts
from harness.results.spread import Spread

STEPS = {"delete_stale": 5.0, "select_partner": 2.0, "delete_matched": 2.0, "insert_session": 2.0}
SOCKETS = SocketFacts(
    free=200, pro=500, team=10_000, channels=100, gentle_sent=300, gentle_heard=60, flood_cut=True
)  # fmt: skip
MATCHING = MatchingFacts(
    users=100, sessions=50, wrong_sessions=0, unmatched_users=0, seconds=0.75, calls=100, busy=0, hold_ms=12.0,
    hold_p95_ms=14.0, steps_ms=STEPS, pool_wait_ms=9.0, find_match_ms=3.0, join_cpu_ms=0.2,
)  # fmt: skip
STEADY = SteadyFacts(users=100, doubled=0, sessions=50, wrong_sessions=0)
STATEMENTS = StatementFacts(matches=10, sent=55, writes=40, polls=10, poll_statements=30, poll_reads=10)
POLLING = PollingFacts(
    waiting=30, seconds=10.0, polls=100, sustained_per_s=2000.0, sustained=2000, sql_per_s=9000.0, realistic=600,
    realistic_p99_ms=20.0, realistic_failed=0, one_client_per_s=0.33,
)  # fmt: skip
PARTNERS = PartnerFacts(calls=2, noticed_s=(0.5, 3.0))
NOTICE = NoticeFacts(users=20, pushed=16, polled=4, unmatched=0, join_to_match_ms=Spread())
DIRECT = NetworkFacts(relay=False, by_mix={"one": (100, 88), "design-doc": (100, 50)}, by_arm={}, contradictions=0)
RELAYED = NetworkFacts(
    relay=True, by_mix={"one": (60, 59)}, by_arm={"udp": (20, 19), "tls": (20, 20)}, contradictions=0
)
RELAY = RelayFacts(users=500, allocated=500, carried_mbit_per_s=300.0, cores=1.0)
ORPHANS = OrphanFacts(
    trials=5, matched_when_stale=0, fresh_trials=5, matched_when_fresh=5, rejoins=5, single_entries=5,
    swept_unasked=True, cleanup_removes=True,
)  # fmt: skip
ENDINGS = EndingFacts(
    trials=3, ended_by_age=3, ended_when_both_vanished=0, ended_by_hand=3, ended_by_next_join=3, ended_by_cleanup=True
)
SERVING = ServingFacts(pairs=4, matched=4, requests=10, failed=1, failed_last=False)
CRASHES = CrashFacts(
    joined=20, lost=0, side_by_side=0, sockets=10, sockets_back=10, told_by_push=2, rows=50, rows_after=50
)
STRANGERS = StrangerFacts(without_token=401, with_forged_token=401, with_good_token=200, entries_of_strangers=0)
BURST = BurstFacts(one_user={200: 10, 500: 90}, many_users={200: 100}, connections=60, entries=1)

CASES = [
    (ceilings.free_capacity, SOCKETS, {"free": 199}),
    (ceilings.pro_capacity, replace(SOCKETS, pro=3000), {"pro": 500}),
    (rules.no_double_match, STEADY, {"doubled": 1}),
    (rules.one_session, STEADY, {"wrong_sessions": 1}),
    (rules.busy_is_handled, MATCHING, {"unmatched_users": 2}),
    (rules.lock_hold, MATCHING, {"hold_ms": 0.4}),
    (rules.lock_steps, MATCHING, {"steps_ms": {**STEPS, "delete_stale": 0.1}}),
    (rules.throughput, MATCHING, {"seconds": 0.1}),
    (rules.bottleneck, MATCHING, {"pool_wait_ms": 1.0}),
    (rules.queries_per_match, STATEMENTS, {"sent": 70}),
    (rules.queries_per_poll, STATEMENTS, {"poll_reads": 20}),
    (rules.poll_rate, POLLING, {"polls": 300}),
    (rules.polls_at_10k, POLLING, {"polls": 10}),
    (rules.realistic_polls, POLLING, {"realistic_failed": 1}),
    (rules.realistic_polls, POLLING, {"realistic_p99_ms": 501.0}),
    (rules.polling_attack, POLLING, {"one_client_per_s": 900.0}),
    (rules.told_by_push, NOTICE, {"pushed": 12, "polled": 8}),
    (rules.needs_relay, DIRECT, {"by_mix": {"one": (100, 60)}}),
    (rules.relay_connects_all, RELAYED, {"by_arm": {"udp": (20, 19), "tls": (20, 19)}}),
    (rules.relay_users, RELAY, {"allocated": 499}),
    (rules.relay_users, RELAY, {"carried_mbit_per_s": 49.0}),
    (rules.stale_never_matched, ORPHANS, {"matched_when_stale": 1}),
    (rules.fresh_blocks, ORPHANS, {"matched_when_fresh": 0}),
    (rules.deleted_unasked, ORPHANS, {"swept_unasked": False}),
    (rules.rejoin_renews, ORPHANS, {"single_entries": 4}),
    (rules.batch_cleanup, ORPHANS, {"cleanup_removes": False}),
    (rules.batch_cleanup, ORPHANS, {"cleanup_removes": None}),
    (rules.not_ended_by_leaving, ENDINGS, {"ended_when_both_vanished": 3}),
    (rules.ended_by_hand, ENDINGS, {"ended_by_hand": 2}),
    (rules.ended_by_next_join, ENDINGS, {"ended_by_next_join": 2}),
    (rules.ended_by_age, ENDINGS, {"ended_by_age": 0}),
    (rules.any_instance, SERVING, {"matched": 3}),
    (rules.next_request, SERVING, {"failed": 2}),
    (rules.next_request, SERVING, {"failed_last": True}),
    (rules.waiting_users_kept, CRASHES, {"lost": 1}),
    (rules.rows_kept, CRASHES, {"rows_after": 49}),
    (rules.sockets_back, CRASHES, {"sockets_back": 9}),
    (rules.sockets_back, CRASHES, {"told_by_push": 1}),
    (rules.auth_first, STRANGERS, {"with_forged_token": 200}),
    (rules.auth_first, STRANGERS, {"entries_of_strangers": 1}),
    (rules.first_ten, BURST, {"one_user": {200: 100}}),
    (rules.others_fail, BURST, {"one_user": {200: 10, 429: 90}}),
    (rules.no_rate_limit, BURST, {"one_user": {200: 10, 429: 90}}),
    (rules.partner_notices, PARTNERS, {"noticed_s": (0.5,)}),
    (rules.one_entry, BURST, {"entries": 2}),
]


@pytest.mark.parametrize(("rule", "facts", "broken"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_rule_holds_and_breaks(rule, facts, broken) -> None:
    """By the facts alone; either way it says what was seen."""
    held, not_held = rule(facts), rule(replace(facts, **broken))
    assert (held.verdict, not_held.verdict) == ("holds", "broken")
    assert held.measured
    assert not_held.measured


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        (ceilings.free_sockets, SOCKETS),
        (ceilings.pro_sockets, SOCKETS),
        (ceilings.team_sockets, SOCKETS),
        (ceilings.team_sockets, replace(SOCKETS, team=None)),
        (ceilings.channels, SOCKETS),
        (ceilings.plan_rate, SOCKETS),
        (ceilings.channel_rate, SOCKETS),
        (ceilings.database_connections, BURST),
        (rules.lock_steps, replace(MATCHING, steps_ms=None)),
        (rules.bottleneck, replace(MATCHING, find_match_ms=0.0)),
        (rules.request_cpu, MATCHING),
        (rules.needs_relay, RELAYED),
        (rules.relay_connects_all, DIRECT),
        (rules.relay_users, None),
        (rules.relay_users, replace(RELAY, users=100)),
    ],
)
def test_what_cannot_be_tested_says_why(rule, facts) -> None:
    """It neither holds nor is it broken."""
    judged = rule(facts)
    assert judged.verdict == "not testable here"
    assert judged.because


def test_the_fitted_mix_confirms_nothing() -> None:
    """The mix that was made from the document's figure is counted, and decides nothing."""
    assert rules.needs_relay(replace(DIRECT, by_mix={**DIRECT.by_mix, "design-doc": (100, 0)})).verdict == "holds"
