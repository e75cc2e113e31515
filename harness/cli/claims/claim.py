"""What a claim is, what an experiment is, and where an experiment takes place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from harness.cli.progress import Progress
from harness.lab.deployment import Deployment, Time, deployment
from harness.lab.postgres import Cluster
from harness.results.claims import ClaimMeasured
from harness.results.store import RunFolder

F = TypeVar("F")


@dataclass(frozen=True)
class Place:
    """Where an experiment takes place: one engine, and what it needs to start deployments of it."""

    engine: str
    cluster: Cluster
    folder: RunFolder
    progress: Progress
    quick: bool
    seed: int

    def deployed(
        self, name: str, *, time: Time = "real", **settings: object
    ) -> AbstractAsyncContextManager[Deployment]:
        """A fresh deployment of the engine; `name` tells the logs apart, `settings` are the server's."""
        return deployment(self.engine, self.cluster, self.log(name), time=time, settings=settings)

    def log(self, name: str) -> Path:
        """Where a server of this place writes its log."""
        return self.folder.logs / f"server-{self.engine}-{name}.log"

    def size(self, full: int, quick: int) -> int:
        """How much is done, in the form that was asked for."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Experiment(Generic[F]):
    """Something that is done once on each engine, and whose facts several claims rest on."""

    name: str
    measure: Callable[[Place], Awaitable[F]]
    alone: bool = False
    """Whether it measures the machine, so that nothing may run beside it."""


@dataclass(frozen=True)
class Claim(Generic[F]):
    """One figure or promise of the design document, and the rule that judges it by an experiment's facts."""

    id: str
    section: str
    quote: str
    """The document's own words."""
    how: str
    """How it is tested, in one sentence."""
    experiment: Experiment[F]
    rule: Callable[[F], ClaimMeasured]
    note: str = ""
    of: Literal["documented", "hardened"] = "documented"
    """Which engine shows it: the document's own, or, for what it recommends to add, the one that has it."""


async def _nothing(_place: Place) -> None:
    return None


NOTHING: Experiment[None] = Experiment("nothing", _nothing)
"""For claims that are arithmetic, or that nobody can test here."""

AnyClaim = Claim[Any]
