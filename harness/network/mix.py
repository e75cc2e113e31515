"""Populations of users by the kind of their NAT: presets with their sources, or one's own from a file."""

from __future__ import annotations

import math
import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Self

from harness.errors import Trouble
from harness.network.nat import KINDS, NatKind

_KEYS = {"shares", "source", "url"}


@dataclass(frozen=True, slots=True)
class Mix:
    """The shares of users behind each kind of NAT; they sum to 1."""

    name: str
    shares: Mapping[NatKind, float]
    source: str = ""
    """Where the shares come from, in words."""
    url: str = ""

    @classmethod
    def of(cls, name: str, table: object) -> Self:
        """Reads one table of a mixes file. Raises Trouble where it is none."""
        if not isinstance(table, Mapping) or not isinstance(table.get("shares"), Mapping) or not table["shares"]:
            raise Trouble(f"the mix {name!r} has no shares", "write shares = { portrestricted = 0.9, symmetric = 0.1 }")
        if unknown := sorted(set(table) - _KEYS):
            raise Trouble(f"the mix {name!r} has the unknown key {unknown[0]!r}", f"use {', '.join(sorted(_KEYS))}")
        shares = {_kind(name, kind): _share(name, kind, share) for kind, share in table["shares"].items()}
        if not math.isclose(total := sum(shares.values()), 1.0, abs_tol=1e-6):
            raise Trouble(f"the shares of the mix {name!r} sum to {total:g}", "make them sum to 1")
        return cls(name, shares, str(table.get("source", "")), str(table.get("url", "")))

    def draw(self, seed: int, pairs: int) -> list[tuple[NatKind, NatKind]]:
        """Draws both members of each pair independently; the same seed draws the same pairs."""
        chance = random.Random(f"{seed} {self.name}")
        drawn = chance.choices(list(self.shares), list(self.shares.values()), k=2 * pairs)
        return list(zip(drawn[::2], drawn[1::2], strict=True))


def presets() -> dict[str, Mix]:
    """The mixes that come with the harness, by name."""
    text = resources.files("harness.network").joinpath("mixes.toml").read_text(encoding="utf-8")
    return {name: Mix.of(name, table) for name, table in tomllib.loads(text).items()}


def mix_of(name: str) -> Mix:
    """The preset of that name, or the mix of a file `PATH.toml`, or one of several in it as `PATH.toml:NAME`.

    Raises:
        Trouble: there is no such preset or file, or it is no mix.
    """
    path, _, chosen = name.partition(".toml")
    if path != name:
        return _from_file(Path(f"{path}.toml"), chosen.removeprefix(":"))
    known = presets()
    if name not in known:
        raise Trouble(f"there is no mix {name!r}", f"use {', '.join(known)}, or a file with mixes (FILE.toml)")
    return known[name]


def _from_file(path: Path, chosen: str) -> Mix:
    tables = _tables(path)
    if not chosen and len(tables) == 1:
        chosen = next(iter(tables))
    if chosen not in tables:
        raise Trouble(f"{path} holds the mixes {', '.join(tables) or '(none)'}", f"name one of them: {path}:NAME")
    return Mix.of(chosen, tables[chosen])


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Trouble(f"{path} cannot be read ({error.strerror})", "name a file with mixes") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Trouble(f"{path} is no TOML ({error})", "correct it") from None


def _kind(mix: str, name: str) -> NatKind:
    if name not in KINDS:
        raise Trouble(f"the mix {mix!r} names the unknown kind {name!r}", f"use {', '.join(KINDS)}")
    return KINDS[name]


def _share(mix: str, kind: str, share: object) -> float:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise Trouble(f"the share of {kind} in the mix {mix!r} is {share!r}", "write a number from 0 to 1")
    return float(share)
