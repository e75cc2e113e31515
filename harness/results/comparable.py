"""Which of two runs may be compared: what must match in them and in their fingerprints (docs/comparing.md)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from harness.results.fingerprint import Fingerprint
from harness.results.run import BenchRun, ClaimsRun, ConformRun, ConformSetRun
from harness.results.store import StoredRun

_GENERATOR = ("python", "aiohttp", "aiortc", "gevent", "locust", "uvloop", "websockets")
"""What makes the load and measures it: another version measures something else."""
_MEMORY = 0.05


def _kernel(fingerprint: Fingerprint) -> str:
    """`Linux 6.8` of `Linux 6.8.0-40-generic`."""
    return ".".join(fingerprint.kernel.split(".")[:2])


def _versions(fingerprint: Fingerprint) -> dict[str, str]:
    return {name: version for name, version in fingerprint.versions.items() if name in _GENERATOR}


FIELDS: dict[str, Callable[[Fingerprint], Any]] = {
    "settings": lambda fingerprint: fingerprint.settings,
    "seed": lambda fingerprint: fingerprint.seed,
    "cpu": lambda fingerprint: fingerprint.cpu,
    "cpus": lambda fingerprint: fingerprint.cpus,
    "memory": lambda fingerprint: fingerprint.memory_bytes,
    "kernel": _kernel,
    "versions": _versions,
}
"""What of a fingerprint must match where times are compared, by the name under which it can be left aside."""


def comparable(base: StoredRun, new: StoredRun, aside: Collection[str] = ()) -> tuple[str, ...]:
    """Why two runs cannot be compared, a clause for each reason; empty where they can.

    Args:
        base: the one that is compared with.
        new: the one that is compared.
        aside: names of `FIELDS` that need not match.
    """
    return tuple(_reasons(base, new, aside))


def cautions(base: StoredRun, new: StoredRun) -> tuple[str, ...]:
    """What does not forbid to compare two runs, and must be known to whoever reads the comparison."""
    said = []
    for name, run in (("base", base), ("new", new)):
        print_ = run.fingerprint
        if print_.cpus and print_.load_1m > print_.cpus:
            said.append(
                f"the machine of {name} was busy before it began: load {print_.load_1m:g} on {print_.cpus} cores"
            )
        if print_.commit.endswith("+"):
            said.append(f"{name} was made from a tree with changes that no commit has ({print_.commit})")
    return tuple(said)


def _reasons(base: StoredRun, new: StoredRun, aside: Collection[str]) -> Iterator[str]:
    for name, run in (("base", base), ("new", new)):
        if run.interrupted:
            yield f"{name} was interrupted, so that its figures are partial"
        if isinstance(run, ClaimsRun):
            yield f"{name} is a run of claims, which has no figures of targets"
    if base.kind != new.kind:
        yield f"base is a run of {base.kind} and new one of {new.kind}"
        return
    scenarios = getattr(base, "scenario", ""), getattr(new, "scenario", "")
    if scenarios[0] != scenarios[1]:
        yield f"the scenario is {scenarios[0]} in base and {scenarios[1]} in new"
    if _targets(base) != _targets(new):
        yield f"the targets are {', '.join(_targets(base))} in base and {', '.join(_targets(new))} in new"
    if base.budgets != new.budgets:
        yield "they were judged by other budgets"
    if not isinstance(base, ConformRun | ConformSetRun):
        yield from _fields(base.fingerprint, new.fingerprint, aside)


def _targets(run: StoredRun) -> list[str]:
    if isinstance(run, ConformRun):
        return [run.target]
    names = {target.name for target in getattr(run, "targets", ())}
    if isinstance(run, BenchRun | ConformSetRun):
        names |= {suite.target for suite in run.conformance}
    return sorted(names)


def _fields(base: Fingerprint, new: Fingerprint, aside: Collection[str]) -> Iterator[str]:
    for name, read in FIELDS.items():
        before, after = read(base), read(new)
        if name in aside or before == after or (name == "memory" and _close(before, after)):
            continue
        if isinstance(before, dict):
            yield from _keys(name, before, after)
        else:
            yield f"the fingerprint's {name} is {before or 'unknown'} in base and {after or 'unknown'} in new"


def _keys(name: str, base: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for key in sorted(base.keys() | new.keys()):
        if base.get(key) != new.get(key):
            yield f"the fingerprint's {name}.{key} is {base.get(key)} in base and {new.get(key)} in new"


def _close(base: float, new: float) -> bool:
    return abs(base - new) <= _MEMORY * max(base, new)
