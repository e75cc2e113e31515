"""From a stored history to judged figures, the same way for a fresh run and for one that is judged again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.history.op import Op
from harness.results.run import TargetFigures
from harness.target import Budgets, Capabilities, Target


@dataclass(frozen=True)
class Terms:
    """What a history is judged by: the budgets of each target, and what the targets offer."""

    budgets: Mapping[str, Budgets] = field(default_factory=dict)
    """By target; where there is one alone, it holds for all."""
    capabilities: Capabilities = Capabilities()
    complete: bool = True
    fresh_users: bool = True

    @classmethod
    def of(cls, target: Target, *, complete: bool = True) -> Terms:
        """The terms that a target file sets."""
        return cls(
            {target.name: target.budgets}, target.capabilities, complete, fresh_users=target.identities.mode != "fixed"
        )


def judged(ops: list[Op], terms: Terms) -> tuple[TargetFigures, ...]:
    """The figures of each target that a history speaks of, in the order in which they appear."""
    from harness.checkers.figures import figures
    from harness.checkers.judge import judge_groups, split_groups

    budgets = next(iter(terms.budgets.values())) if len(terms.budgets) == 1 else terms.budgets
    judgements = judge_groups(ops, budgets, terms.capabilities, complete=terms.complete, fresh_users=terms.fresh_users)
    by_target: dict[str, list[Op]] = {}
    for (target, _), group in split_groups(ops).items():
        by_target.setdefault(target, []).extend(group)
    return tuple(figures(by_target[name], judgement, name) for name, judgement in judgements.items())


def collected(parts: list[Path], into: Path) -> list[Op]:
    """Merges what the generators wrote into one history, removes the parts, and reads it."""
    from harness.history.journal import merge_histories, read_history

    merge_histories(parts, into)
    for part in parts:
        part.unlink()
    return read_history(into)
