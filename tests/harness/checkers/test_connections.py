"""Connections are counted from the ops of both members, and held against the theory of NATs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checkers.connections import connections_of
from harness.checkers.figures import figures
from harness.checkers.judge import judge
from harness.history.op import Op, Outcome, Via
from harness.network.mix import presets
from harness.network.nat import KINDS, Turn
from harness.network.theory import connects, success_rate
from harness.peer.stage import Stage
from harness.results.connections import Arm, Connections
from harness.target import Budgets


def side(session: str, user: str, stage: str = "connected", **value: Any) -> Op:
    """One member's op; it never came back where the stage is empty."""
    outcome = Outcome.OK if stage == "connected" else Outcome.FAIL if stage else Outcome.INFO
    told = {"id": session, "network": "vnet"} | ({"stage": stage} if stage else {}) | value
    return Op(1, 0.0, 1.0 if stage else None, "t.peers.0", user, "d1", "connect", outcome, Via.RTC, told)


def pair(session: str, kinds: str, turn: str = "none", stages: str = "connected connected", **value: Any) -> list[Op]:
    """Both members' ops, with their kinds and stages in order."""
    members = zip("AB", kinds.split(), stages.split(), strict=True)
    arm = {} if turn == "none" else {"turn": turn}
    return [side(session, user + session, stage, nat=nat, **arm, **value) for user, nat, stage in members]


def counted(ops: list[Op]) -> Connections:
    found = connections_of(ops)
    assert found is not None
    return found


def only_arm(ops: list[Op]) -> Arm:
    (arm,) = counted(ops).arms
    return arm


def test_no_attempt_no_figures() -> None:
    """A history in which nobody tried to connect says nothing of connections."""
    assert connections_of([]) is None
    assert connections_of([Op(1, 0, 1, "p0", "A", "d1", "join", Outcome.OK, Via.HTTP)]) is None


def test_each_arm_is_counted_by_itself() -> None:
    """Interleaved arms are told apart and stand in the order none, udp, tcp, tls."""
    ops = [
        *pair("1", "symmetric symmetric", "tls"),
        *pair("2", "fullcone fullcone"),
        *pair("3", "symmetric symmetric", "tls"),
        *pair("4", "symmetric symmetric", stages="ice-checks-timeout ice-checks-timeout"),
    ]
    found = counted(ops)
    assert [(arm.turn, arm.attempted, arm.connected) for arm in found.arms] == [("none", 2, 1), ("tls", 2, 2)]
    assert found.arms[0].success_rate == 0.5
    assert found.arms[0].interval_95 == pytest.approx((0.0945, 0.9055), abs=0.0002)
    assert (found.network, found.contradictions) == ("vnet", ())


def test_theory_stands_beside_what_was_measured() -> None:
    """Of the pairs that were really made theory says how many connect; of the mix, which share of all would."""
    mix = presets()["design-doc"]
    told = {"name": mix.name, "shares": {kind.name: share for kind, share in mix.shares.items()}}
    ops = [
        Op(1, 0, 0, "p0", "", "d1", "mix", Outcome.OK, Via.SELF, told),
        *pair("1", "fullcone symmetric"),
        *pair("2", "symmetric portrestricted", stages="ice-checks-timeout ice-checks-timeout"),
        *pair("3", "fullcone fullcone"),
    ]
    theory = only_arm(ops).theory
    assert (theory.pairs, theory.connected, theory.expected, theory.relay_needed) == (3, 2, 2, 1)
    assert theory.mix_rate == pytest.approx(success_rate(mix.shares, Turn.NONE), abs=1e-4)
    assert theory.mix_in_interval is True
    assert counted(ops).mix == "design-doc"


def test_a_rate_outside_of_the_interval_is_said() -> None:
    """Forty failures of forty are not what the mix lets expect, even where each of them agrees with theory."""
    mix = Op(1, 0, 0, "p0", "", "d1", "mix", Outcome.OK, Via.SELF, {"name": "own", "shares": {"fullcone": 1.0}})
    timeout = "ice-checks-timeout ice-checks-timeout"
    failed = [op for n in range(40) for op in pair(str(n), "symmetric symmetric", stages=timeout)]
    arm = only_arm([mix, *failed])
    assert (arm.theory.mix_rate, arm.theory.mix_in_interval, arm.contradictions) == (1.0, False, 0)


def test_a_mix_that_cannot_be_read_is_left_out() -> None:
    """Nothing is claimed of a mix by shares that are none; the pairs' own theory stands."""
    mix = Op(1, 0, 0, "p0", "", "d1", "mix", Outcome.OK, Via.SELF, {"name": "odd", "shares": {"marsnat": 1.0}})
    found = counted([mix, *pair("1", "fullcone fullcone")])
    assert (found.mix, found.arms[0].theory.mix_rate, found.arms[0].theory.expected) == ("", None, 1)


def test_connected_against_theory_is_a_contradiction() -> None:
    """Also where one side alone says that data went both ways."""
    both = pair("1", "symmetric symmetric")
    one = pair("2", "udpblocked fullcone", stages="connected ice-checks-timeout", detail="no candidate pair worked")
    found = counted([*both, *one]).contradictions
    assert [(c.session, c.kinds, c.expected, c.stage) for c in found] == [
        ("1", ("symmetric", "symmetric"), False, "connected"),
        ("2", ("fullcone", "udpblocked"), False, "one-sided"),
    ]
    assert found[1].detail == "no candidate pair worked"


def test_failed_against_theory_is_a_contradiction() -> None:
    """With the arm, the stage that explains both sides, and what they said."""
    (found,) = counted(pair("1", "tcp443only symmetric", "tls", "turn-auth ice-checks-timeout")).contradictions
    assert (found.session, found.turn, found.expected, found.stage) == ("1", "tls", True, "turn-auth")


@pytest.mark.parametrize("stage", ["aborted", "signalling-lost", "signalling-broken"])
def test_what_the_target_owes_is_no_contradiction(stage: str) -> None:
    """Who never heard of his partner's candidates did not put a NAT to the test."""
    arm = only_arm(pair("1", "fullcone fullcone", stages=f"{stage} {stage}"))
    assert (arm.contradictions, arm.untried, arm.connected) == (0, 1, 0)
    assert arm.failures_by_stage == {stage: 1}


def test_an_attempt_that_was_cut_off_is_no_contradiction() -> None:
    """A run that ended in the middle of a handshake does not know how it would have come out."""
    ops = [side("1", "A", "connected", nat="fullcone"), side("1", "B", "", nat="fullcone")]
    arm = only_arm(ops)
    assert (arm.attempted, arm.connected, arm.untried, arm.contradictions) == (1, 0, 1, 0)
    assert arm.failures_by_stage == {"one-sided": 1}


def test_a_pair_of_which_one_member_told() -> None:
    """It counts as attempted and not as connected; of its partner nothing is made up, so theory does not speak."""
    arm = only_arm([side("1", "A", nat="symmetric"), side("1", "A", nat="symmetric")])
    assert (arm.attempted, arm.connected, arm.alone, arm.theory.pairs) == (1, 0, 1, 0)
    assert arm.failures_by_stage == {"one-sided": 1}
    assert [(cell.kinds, cell.connects) for cell in arm.nat_pairs] == [(("symmetric", "unknown"), None)]


def test_a_pair_that_was_never_made_has_no_arm() -> None:
    """It is counted beside the arms: nobody knows which it would have had."""
    ops = [side("unmatched-0", user, "match") for user in "AB"] + pair("1", "fullcone fullcone", "udp")
    found = counted(ops)
    assert (found.unmatched, [arm.turn for arm in found.arms]) == (1, ["udp"])


def test_a_history_without_nats() -> None:
    """On loopback, and in older histories, all is counted but theory."""
    arm = only_arm([side("1", user, path="host/host") for user in "AB"])
    assert (arm.turn, arm.connected, arm.theory.pairs, arm.nat_pairs) == ("none", 1, 0, ())


def test_relay_needed_and_relay_used_differ() -> None:
    """One is what the NATs ask for, the other what the sides chose; each side's own view counts."""
    ops = [
        *pair("1", "fullcone fullcone", "udp", path="relay/host"),
        *pair("2", "symmetric symmetric", "udp", path="relay/relay"),
        *pair("3", "symmetric symmetric", "udp", "turn-unreachable ice-checks-timeout"),
        *pair("4", "fullcone fullcone", "udp", path="host/srflx"),
    ]
    arm = only_arm(ops)
    assert (arm.theory.relay_needed, arm.relay_used) == (2, 2)
    assert {path.types: path.pairs for path in arm.path_types} == {("relay", "relay"): 2, ("srflx", "srflx"): 1}
    assert sum(path.share for path in arm.path_types) == pytest.approx(1, abs=1e-3)


def test_types_come_from_both_views() -> None:
    """The partner knows under which type a side's candidate appears; the order of the members does not matter."""
    ops = [
        side("1", "A", nat="fullcone", path="host/host"), side("1", "B", nat="symmetric", path="host/prflx"),
        side("2", "C", nat="fullcone", path="host/prflx"), side("2", "D", nat="symmetric", path="host/host"),
    ]  # fmt: skip
    (path,) = only_arm(ops).path_types
    assert (path.types, path.pairs) == (("host", "prflx"), 2)


def test_what_the_relays_carried() -> None:
    """By arm where the op names one, and in total."""
    relays = [{"turn": "udp", "bytes": 700}, {"turn": "udp", "bytes": 50}, {"turn": "", "bytes": 9}]
    ops = [Op(1, 9, 9, "p0", "", "d1", "relay", Outcome.OK, Via.SELF, value) for value in relays]
    found = counted([*pair("1", "fullcone fullcone", "udp"), *pair("2", "fullcone fullcone"), *ops])
    assert found.relay_bytes == 759
    assert {arm.turn: arm.relay_bytes for arm in found.arms} == {"none": None, "udp": 750}


def test_times_of_the_steps() -> None:
    """Over all members who reached a step, in the order of a handshake; the match from which they count is left out."""
    ops = [
        side("1", "A", times={"matched": 0.0, "connected": 0.4, "offer_sent": 0.1}),
        side("1", "B", times={"matched": 0.0, "connected": 0.6}),
    ]
    steps = only_arm(ops).steps_ms
    assert list(steps) == ["offer_sent", "connected"]
    assert (steps["offer_sent"].count, steps["connected"].count) == (1, 2)
    assert steps["connected"].max == pytest.approx(600, rel=0.002)


def test_glare_renegotiation_and_quality() -> None:
    """Pairs count once, whichever member tells; quality is over the members who measured."""
    ops = [
        *pair("1", "fullcone fullcone", glare=True, attempt=2),
        side("2", "C", attempt=3, rtt=0.05, jitter=0.001, loss=0.02, mos=4.1),
        side("2", "D", rtt=0.07, jitter=0.003, loss=0.0, mos=4.3),
    ]
    arm = only_arm(ops)
    assert (arm.glare, arm.renegotiated) == (1, 2)
    assert (arm.quality.rtt_ms.count, arm.quality.rtt_ms.max) == (2, pytest.approx(70, rel=0.002))
    assert (arm.quality.loss.median, arm.quality.loss.worst) == (0.01, 0.02)
    assert (arm.quality.mos.median, arm.quality.mos.worst) == (4.2, 4.1)


def test_a_contradiction_leaves_a_valid_history_in_doubt() -> None:
    """The harness or the stack erred, not the target: the verdict is unknown, and the reason says so."""
    joins = [Op(n, 0, 0.1, "p0", user, "d1", "join", Outcome.OK, Via.HTTP) for n, user in enumerate(("A1", "B1"))]
    match = {"id": "1", "user1": "A1", "user2": "B1", "status": "active"}
    seen = [Op(9, 0.5, 0.5, "p0", user, "d1", "push", Outcome.OK, Via.WS, {"session": match}) for user in ("A1", "B1")]
    right = [*joins, *seen, *pair("1", "fullcone fullcone")]
    wrong = [*joins, *seen, *pair("1", "symmetric symmetric")]
    judgement = judge(right, Budgets())
    assert figures(right, judgement, "t").verdict == judgement.verdict == "valid"
    doubted = figures(wrong, judge(wrong, Budgets()), "t")
    assert doubted.verdict == "unknown"
    assert doubted.reason.startswith("1 pair contradicts the theory of NATs, which is an error of the harness")
    assert figures(wrong, judgement.model_copy(update={"verdict": "invalid"}), "t").verdict == "invalid"


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*KINDS, "cgn", "marsnat"]),
            st.sampled_from([*KINDS, ""]),
            st.sampled_from([*Turn]),
            st.tuples(st.sampled_from([*Stage]), st.sampled_from([*Stage])),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_the_counts_add_up(drawn: list[tuple[str, str, Turn, tuple[Stage, Stage], bool]]) -> None:
    """Whatever the members say, each pair is counted exactly once in each of the tables that hold it."""
    ops = []
    for n, (one, other, turn, stages, both) in enumerate(drawn):
        ops += pair(str(n), f"{one} {other or 'unknown'}", turn, " ".join(stages), path="host/srflx")[
            : 2 if both else 1
        ]
    found = connections_of(ops) or Connections()
    assert sum(arm.attempted for arm in found.arms) + found.unmatched == len(drawn)
    assert sum(arm.contradictions for arm in found.arms) == len(found.contradictions)
    for arm in found.arms:
        missed = sum(one.expected for one in found.contradictions if one.turn == arm.turn)
        surprising = sum(
            not one.expected and one.stage == "connected" for one in found.contradictions if one.turn == arm.turn
        )
        assert arm.connected + sum(arm.failures_by_stage.values()) == arm.attempted
        assert sum(cell.attempted for cell in arm.nat_pairs) == arm.attempted
        assert sum(cell.connected for cell in arm.nat_pairs) == arm.connected
        assert sum(cell.contradictions for cell in arm.nat_pairs) == arm.contradictions
        assert sum(path.pairs for path in arm.path_types) == arm.connected
        assert arm.theory.pairs <= arm.attempted
        balance = arm.theory.connected + missed - surprising
        assert 0 <= arm.theory.expected - balance <= arm.untried


@pytest.mark.parametrize("turn", Turn)
def test_agreement_with_theory_contradicts_nothing(turn: Turn) -> None:
    """Every pair of kinds that does what theory says is no contradiction, and expected is what connected."""
    ops = []
    for one, kind in KINDS.items():
        for other, partner in KINDS.items():
            stage = "connected" if connects(kind, partner, turn) else "ice-checks-timeout"
            ops += pair(f"{one}-{other}", f"{one} {other}", turn, f"{stage} {stage}")
    arm = only_arm(ops)
    assert (arm.contradictions, arm.theory.pairs) == (0, len(KINDS) ** 2)
    assert arm.theory.expected == arm.theory.connected == arm.connected


def test_figures_need_no_webrtc() -> None:
    """Judging a stored history does not load aiortc."""
    code = "import sys, harness.checkers.figures; sys.exit('aiortc' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
