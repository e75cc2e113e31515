"""Every figure and promise of the design document: its words, how it is tested, and the rule that judges it."""

from __future__ import annotations

from collections.abc import Callable

from harness.cli.claims import ceilings, rules
from harness.cli.claims.claim import NOTHING, AnyClaim, Claim, Experiment, Place
from harness.cli.claims.experiments.burst import burst
from harness.cli.claims.experiments.crashes import crashes
from harness.cli.claims.experiments.endings import endings
from harness.cli.claims.experiments.matching import matching
from harness.cli.claims.experiments.networks import networks
from harness.cli.claims.experiments.notice import notice
from harness.cli.claims.experiments.orphans import orphans
from harness.cli.claims.experiments.partners import partners
from harness.cli.claims.experiments.polling import polling
from harness.cli.claims.experiments.relaying import RelayFacts, relaying
from harness.cli.claims.experiments.serving import serving
from harness.cli.claims.experiments.sockets import sockets
from harness.cli.claims.experiments.statements import statements
from harness.cli.claims.experiments.steady import steady
from harness.cli.claims.experiments.strangers import strangers
from harness.cli.claims.experiments.suite import Requirements, suite_of
from harness.cli.claims.verdicts import by_requirements, untestable
from harness.results.claims import ClaimMeasured

_OWN_ENTRY = ("REST-RLS-01", "REST-RLS-02", "REST-RLS-03", "REST-RLS-04")
_OWN_SESSIONS = ("REST-RLS-05", "MM-S9")
_OWN_SIGNALS = ("REST-RLS-09", "REST-RLS-10")
_IDS = (*_OWN_ENTRY, *_OWN_SESSIONS, *_OWN_SIGNALS, "LIM-1", "MM-S11", "MM-L6", "SG-S4")


async def _relaying(place: Place) -> RelayFacts | None:
    return None if place.engine == "documented" else await relaying(place)


_SOCKETS = Experiment("ceilings of the plans", sockets, alone=True)
_MATCHING = Experiment("a crowd at once", matching, alone=True)
_STEADY = Experiment("steady arrivals", steady, alone=True)
_STATEMENTS = Experiment("statements of a match", statements)
_POLLING = Experiment("polls", polling, alone=True)
_NOTICE = Experiment("push and poll", notice)
_NETWORKS = Experiment("pairs behind NATs", networks)
_RELAY = Experiment("a relay", _relaying, alone=True)
_ORPHANS = Experiment("orphaned entries", orphans)
_ENDINGS = Experiment("ends of sessions", endings)
_PARTNERS = Experiment("a partner leaves", partners)
_SERVING = Experiment("two instances", serving)
_CRASHES = Experiment("crashes", crashes)
_STRANGERS = Experiment("strangers", strangers)
_BURST = Experiment("a hundred joins", burst)
_SUITE = suite_of(_IDS)

_ADMISSION = "The document admits a fault here: that it holds is no praise. The hardened engine mends it."
_CEILING = "It follows from the document's own ceiling of that plan."


def _by(*ids: str) -> Callable[[Requirements], ClaimMeasured]:
    return lambda results: by_requirements(results, ids)


def _never(because: str) -> Callable[[None], ClaimMeasured]:
    return lambda _facts: untestable(because)


CLAIMS: tuple[AnyClaim, ...] = (
    Claim("free-sockets", "2", "FREE TIER: … Max Concurrent Connections: 200", "opens 210 sockets on the free plan",
          _SOCKETS, ceilings.free_sockets),
    Claim("pro-sockets", "2", "PRO TIER ($25/mo): … Max Concurrent Connections: 500",
          "opens 510 sockets on the pro plan", _SOCKETS, ceilings.pro_sockets),
    Claim("team-sockets", "2", "TEAM TIER ($599/mo): … Max Concurrent Connections: 10,000+",
          "opens 10,010 sockets on the team plan", _SOCKETS, ceilings.team_sockets),
    Claim("channels", "2", "Max Channels per Connection: 100", "joins 105 channels on one socket",
          _SOCKETS, ceilings.channels),
    Claim("plan-rate", "2", "FREE TIER: … Messages per Second: ~100", "400 broadcasts/s to a listener, free plan",
          _SOCKETS, ceilings.plan_rate),
    Claim("channel-rate", "2", "FREE TIER: … Broadcast Limit: 10 msg/sec/channel",
          "sends 50 broadcasts/s on one channel", _SOCKETS, ceilings.channel_rate,
          "By its own documentation the provider counts by project, not by channel."),
    Claim("no-double-match", "3", "pg_try_advisory_xact_lock('matchmaking_lock') // Prevent race",
          "users arrive at an even pace, so that two come at once while one waits; then the database is asked",
          _STEADY, rules.no_double_match, "The lock orders the calls; none looks again whether its caller is taken."),
    Claim("busy-is-handled", "6", "\"contention_handling\": \"If lock not acquired, return 'System busy, retry'\"",
          "the same crowd; users who end without a partner are counted", _MATCHING, rules.busy_is_handled,
          "Nobody retries: the route does not await find_match."),
    Claim("buddies-first", "3", "SELECT partner … JOIN study_connections (buddies only)",
          "the conformance suite", _SUITE, _by("MM-S11")),
    Claim("oldest-first", "3", "ORDER BY joined_at ASC LIMIT 1", "the conformance suite", _SUITE, _by("MM-L6"),
          "The order is that of the queue: a caller who finds a partner never stood in it."),
    Claim("old-session-ends", "3", "Check active session → Auto-end if exists", "a member of a session joins again",
          _ENDINGS, rules.ended_by_next_join),
    Claim("one-offers", "3", "User1 (first to connect): createOffer()", "the conformance suite", _SUITE, _by("SG-S4")),
    Claim("queries-per-match", "5", "TOTAL per successful match: 5-6 queries",
          "PostgreSQL's log and counting triggers, pairs one after the other", _STATEMENTS, rules.queries_per_match,
          "The document counts one member; the second's join is a part of the match as well."),
    Claim("queries-per-poll", "5", "TOTAL per poll cycle: 1 query per searching user", "PostgreSQL's log",
          _STATEMENTS, rules.queries_per_poll, "PostgREST opens a transaction and sets the caller's role around it."),
    Claim("poll-rate", "5", "Polls per user per second: 1/3 = 0.33", "users wait for nobody",
          _POLLING, rules.poll_rate),
    Claim("polls-at-10k", "5", "TOTAL QPS = 10,000 × 0.33 = 3,333 queries/second",
          "the measured rate of one user, and what this machine answers", _POLLING, rules.polls_at_10k),
    Claim("realistic-polls", "5", "Actual QPS: ~33-166 queries/sec (manageable)",
          "166 polls/s, open model: none fails, and p99 is within 0.5 s", _POLLING, rules.realistic_polls),
    Claim("told-by-push", "5", "Most users get matched via Realtime → never poll",
          "pairs search as the client does: join, subscribe, poll", _NOTICE, rules.told_by_push,
          "The client joins before it subscribes, so that who completes a pair is told by poll alone."),
    Claim("lock-hold", "6", "TOTAL LOCK HOLD TIME: ~10-15ms", "100 calls with a partner waiting, on a quiet database",
          _MATCHING, rules.lock_hold, "The median, commit included; the way to the database is taken off."),
    Claim("lock-steps", "6", "DELETE stale queue entries (~5ms) … SELECT partner (~2ms) … "
          "DELETE matched users (~2ms) … INSERT chat_session (~2ms)",
          "each statement by itself, 50 times", _MATCHING, rules.lock_steps),
    Claim("throughput", "6", "Throughput = 1000ms / 15ms = ~66 matches/second",
          "a crowd joins, 32 at a time; first match to last", _MATCHING, rules.throughput),
    Claim("needs-relay", "7", "10-15% of users behind strict NAT cannot connect P2P",
          "pairs of virtual peers behind NATs of each published mix, without a relay", _NETWORKS, rules.needs_relay,
          "The document counts users; who fails is a pair. The mix that was fitted to its figure is left out."),
    Claim("relay-connects-all", "7", "100% connection success rate",
          "the same pairs with a relay, by UDP, by TCP or by TLS; it is enough that one way connects all",
          _NETWORKS, rules.relay_connects_all,
          "A network that lets through nothing but a proxy is in no mix.", of="hardened"),
    Claim("not-ended", "8", "Session NOT automatically ended in DB", "both members close their tabs",
          _ENDINGS, rules.not_ended_by_leaving, _ADMISSION),
    Claim("ended-by-hand", "8", 'User must click "End Chat" to properly close', "a member ends the session",
          _ENDINGS, rules.ended_by_hand),
    Claim("partner-notices", "8", "User A detects: pc.onconnectionstatechange → 'disconnected'",
          "real calls over loopback, of which one side closes its tab", _PARTNERS, rules.partner_notices,
          "aiortc stands for the browser, and heartbeats on its data channel for the state that it lacks."),
    Claim("stale-never-matched", "8", "find_match() auto-deletes entries > 2 minutes old",
          "users join and are gone, entries of 121 s; another joins", _ORPHANS, rules.stale_never_matched),
    Claim("ghost-blocks", "8", "Without cleanup, user X blocks others from matching",
          "the same with entries of 60 s, whose sockets have been closed", _ORPHANS, rules.fresh_blocks, _ADMISSION),
    Claim("rejoin-renews", "8", "On new join, DELETE existing entry for same user first", "users join twice",
          _ORPHANS, rules.rejoin_renews),
    Claim("batch-cleanup", "8", "cleanup_matchmaking() function for batch cleanup", "an entry of 10 minutes",
          _ORPHANS, rules.batch_cleanup),
    Claim("orphans-deleted", "Summary", '"orphaned_entries": "Auto-deleted after 2 minutes"',
          "a stale entry while nobody joins", _ORPHANS, rules.deleted_unasked,
          "Section 8 says itself that no scheduled job runs."),
    Claim("cold-start", "10", '"cold_start_ms": "50-200ms"', "not at all", NOTHING,
          _never("the provider's edge runtime is not here")),
    Claim("request-cpu", "10", '"per_request_usage": … "cpu_time_ms": "5-50"',
          "processor time of our server, the same crowd", _MATCHING, rules.request_cpu),
    Claim("bottleneck", "10", "Not the Edge Function - it's PostgreSQL connections",
          "how long statements wait for a connection, the same crowd", _MATCHING, rules.bottleneck),
    Claim("relay-users", "10",
          '"cpu": "2 vCPUs" … "network": "100Mbps minimum", "capacity": "~500 simultaneous relay users"',
          "500 allocations of one coturn, and what it carries for its processor time", _RELAY, rules.relay_users,
          "100 Mbit/s for 500 users are 0.2 Mbit/s each: a voice, and no video.", of="hardened"),
    Claim("any-instance", "11", "Any instance can handle any request → No sticky needed",
          "pairs whose members speak to different instances", _SERVING, rules.any_instance),
    Claim("waiting-users-kept", "12", '"signaling_process_restart": { "waiting_users_lost": 0',
          "the server gets SIGKILL while users join", _CRASHES, rules.waiting_users_kept),
    Claim("sockets-back", "12", "Clients auto-reconnect (supabase-js handles this)",
          "open sockets while the server is killed and started again; then two of them are matched",
          _CRASHES, rules.sockets_back),
    Claim("next-request", "12", '"Individual request fails", "recovery": "Next request goes to healthy instance"',
          "one of two instances gets SIGKILL", _SERVING, rules.next_request),
    Claim("rows-kept", "12", 'PERSISTED (Survives restart): … waiting_queue table',
          "a process of PostgreSQL gets SIGKILL, whereupon it starts again from its log", _CRASHES, rules.rows_kept),
    Claim("auth-first", "13", "API routes check auth before queue operations",
          "joins without a token, with a forged one, with a good one", _STRANGERS, rules.auth_first),
    Claim("own-entry", "13", '"waiting_queue": "Users can only see/modify their own entry"', "the conformance suite",
          _SUITE, _by(*_OWN_ENTRY)),
    Claim("own-sessions", "13", "\"chat_sessions\": \"Users can only see sessions they're part of\"",
          "the conformance suite", _SUITE, _by(*_OWN_SESSIONS)),
    Claim("own-signals", "13", "signaling goes through DB, auth required", "the conformance suite",
          _SUITE, _by(*_OWN_SIGNALS)),
    Claim("no-rate-limit", "13", '"rate_limiting": { "enabled": false', "one user sends 100 joins at once", _BURST,
          rules.no_rate_limit, _ADMISSION),
    Claim("rate-limit", "13", "Mitigation: Add rate limit (10 joins/minute)", "the conformance suite",
          _SUITE, _by("LIM-1"), of="hardened"),
    Claim("polling-attack", "13", "DoS via Polling: 1000 malicious clients = 333 QPS",
          "one client polls as fast as it is answered", _POLLING, rules.polling_attack,
          "Whoever means harm does not wait three seconds."),
    Claim("first-ten", "15", "First ~10 should succeed (200)", "one user sends 100 joins at once", _BURST,
          rules.first_ten, "The hardened engine's rate limit lets through ten."),
    Claim("others-fail", "15", "Others may fail (500) if DB connection limit hit",
          "the same, and 100 users at once, on the free plan", _BURST, rules.others_fail),
    Claim("one-session", "17", '"per_user_limits": { "concurrent_sessions": 1',
          "the same arrivals; sessions whose members have another one", _STEADY, rules.one_session),
    Claim("one-entry", "17", '"per_user_limits": … "queue_entries": 1', "one user sends 100 joins at once",
          _BURST, rules.one_entry),
    Claim("two-hours", "17", '"session_auto_end_hours": 2', "sessions past their greatest age, in scaled time",
          _ENDINGS, rules.ended_by_age),
    Claim("database-connections", "17", '"db_connections": 60', "100 users join at once on the free plan",
          _BURST, ceilings.database_connections),
    Claim("capacity", "Summary", '"current_capacity": "200-500 users"', "opens 210 sockets on the free plan",
          _SOCKETS, ceilings.free_capacity, f"{_CEILING} It is the lower end of the range."),
    Claim("pro-capacity", "Summary", "Supabase Pro ($25/mo) → 3K users", "opens 510 sockets on the pro plan",
          _SOCKETS, ceilings.pro_capacity, f"{_CEILING} A searching user holds one socket."),
    Claim("redis", "Summary", "Add Redis → 10K users", "not at all", NOTHING,
          _never("no engine with Redis is part of this project")),
)  # fmt: skip
"""In the order of the document."""
