"""From a stored history to judged figures, the same way for a fresh run and for one that is judged again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from harness.cli.conclusion import EXPECTED
from harness.history.op import Op
from harness.results.run import TargetFigures
from harness.results.store import StoredRun
from harness.results.thresholds import parse_all
from harness.target import Budgets, Capabilities, Target


class Kept(TypedDict):
    """The fields of a run by which its history is judged again."""

    budgets: dict[str, Budgets]
    capabilities: Capabilities
    offers: dict[str, Capabilities]
    fresh_users: bool
    require: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """What a history is judged by: the budgets of each target, and what the targets offer."""

    budgets: Mapping[str, Budgets] = field(default_factory=dict)
    """By target; where there is one alone, it holds for all."""
    capabilities: Capabilities = Capabilities()
    complete: bool = True
    fresh_users: bool = True
    offers: Mapping[str, Capabilities] = field(default_factory=dict)
    """What a target offers, where several do not offer the same."""
    require: tuple[str, ...] = ()
    """Thresholds that the figures must hold; of several targets not those that are there to fail."""

    def budgets_of(self, target: str) -> Budgets:
        """The budgets of one target; the default ones where it has none."""
        only = next(iter(self.budgets.values())) if len(self.budgets) == 1 else None
        return self.budgets.get(target) or only or Budgets()

    def offered_by(self, target: str) -> Capabilities:
        """What one target offers."""
        return self.offers.get(target, self.capabilities)

    def kept(self) -> Kept:
        """The terms as a run keeps them: nothing in it may be secret."""
        return Kept(
            budgets=dict(self.budgets),
            capabilities=_told(self.capabilities),
            offers={name: _told(offered) for name, offered in self.offers.items()},
            fresh_users=self.fresh_users,
            require=self.require,
        )

    @classmethod
    def of_run(cls, run: StoredRun) -> Terms:
        """The terms that a stored run keeps."""
        return cls(
            run.budgets,
            run.capabilities,
            complete=not run.interrupted,
            fresh_users=run.fresh_users,
            offers=run.offers,
            require=run.require,
        )

    @classmethod
    def of(cls, target: Target, *, complete: bool = True, require: Sequence[str] = ()) -> Terms:
        """The terms that a target file sets, and what is required beyond it."""
        return cls(
            {target.name: target.budgets}, target.capabilities, complete,
            fresh_users=target.identities.mode != "fixed", require=(*target.thresholds.require, *require),
        )  # fmt: skip

    @classmethod
    def of_several(cls, targets: Sequence[Target], *, complete: bool = True, require: Sequence[str] = ()) -> Terms:
        """The terms of targets that stand in one run. Each has its own budgets and offers; what any requires is
        required of all, and where one has a fixed list of users, none counts as fresh."""
        each = [cls.of(target, complete=complete) for target in targets]
        first = each[0] if each else cls(complete=False)
        offers = {target.name: target.capabilities for target in targets}
        same = all(_told(offered) == _told(first.capabilities) for offered in offers.values())
        return cls(
            {target.name: target.budgets for target in targets}, first.capabilities, first.complete,
            fresh_users=all(terms.fresh_users for terms in each), offers={} if same else offers,
            require=tuple(dict.fromkeys([*(text for terms in each for text in terms.require), *require])),
        )  # fmt: skip


def judged(ops: list[Op], terms: Terms) -> tuple[TargetFigures, ...]:
    """The figures of each target that a history speaks of, in the order in which they appear."""
    from harness.checkers.figures import figures
    from harness.checkers.judge import judge_groups, split_groups

    budgets = next(iter(terms.budgets.values())) if len(terms.budgets) == 1 else terms.budgets
    by_target: dict[str, list[Op]] = {}
    for (target, _), group in split_groups(ops).items():
        by_target.setdefault(target, []).extend(group)
    judgements = {
        name: judge_groups(
            own, budgets, terms.offered_by(name), complete=terms.complete, fresh_users=terms.fresh_users
        )[name]
        for name, own in by_target.items()
    }
    found = []
    for name, judgement in judgements.items():
        measured = figures(by_target[name], judgement, name, terms.budgets_of(name))
        to_fail = len(judgements) > 1 and name in EXPECTED
        found.append(measured if to_fail else with_thresholds(measured, terms.require))
    return tuple(found)


def _told(capabilities: Capabilities) -> Capabilities:
    """What may be told of them: nothing secret."""
    return capabilities.model_copy(update={"database_url": "", "crash": ""})


def with_thresholds(measured: TargetFigures, require: Sequence[str]) -> TargetFigures:
    """The figures with what they say to each threshold. Raises Trouble where one cannot be read."""
    thresholds = [threshold for text in require for threshold in parse_all(text)]
    return measured.model_copy(update={"thresholds": tuple(threshold.result(measured) for threshold in thresholds)})


def collected(parts: list[Path], into: Path) -> list[Op]:
    """Merges what the generators wrote into one history, removes the parts, and reads it."""
    from harness.history.journal import merge_histories, read_history

    merge_histories(parts, into)
    for part in parts:
        part.unlink()
    return read_history(into)
