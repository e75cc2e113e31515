"""A mutant: this server with one fault, read from a file of its own and built in where the parts are put together."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reference_server.db import Database, Refused
from reference_server.matchmaking.engine import Engine
from reference_server.settings import Settings

if TYPE_CHECKING:
    from reference_server.app import Parts

Build = Callable[[Settings, Database], Engine]
_REMEDY = "see docs/adding-a-mutant.md"


class Mutation:
    """What a mutant's function `mutate(server)` changes before the server is built: settings, SQL, code, parts.

    Nothing may change silently nothing: text that does not occur exactly once and a name that is not there are refused.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._replacements: list[tuple[str, str]] = []
        self._additions: list[str] = []
        self._changes: list[Callable[[Parts], None]] = []
        self._build: Build | None = None

    def set(self, **settings: object) -> None:
        """Runs the server with these settings, by their names. Raises Refused for one that cannot be."""
        try:
            self.settings = Settings(**{**self.settings.model_dump(), **settings})
        except ValidationError as error:
            first = error.errors()[0]
            raise Refused(f"the setting {first['loc'][0]}: {first['msg']}", _REMEDY) from None

    def sql(self, old: str, new: str) -> None:
        """Replaces a piece of the SQL that is installed (schema and engine): it must occur there exactly once."""
        self._replacements.append((old, new))

    def add_sql(self, text: str) -> None:
        """Installs further SQL after the engine's."""
        self._additions.append(text)

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replaces an attribute of a class or module by what `make` makes of it. Raises Refused where there is none."""
        if name not in vars(owner):
            raise Refused(f"{getattr(owner, '__name__', owner)} has no {name} of its own", _REMEDY)
        setattr(owner, name, make(vars(owner)[name]))

    def text(self, owner: Any, name: str, old: str, new: str) -> None:
        """Replaces a piece of a text that a module or class holds (a statement): it must occur there exactly once."""
        self.wrap(owner, name, lambda text: _replaced(text, old, new, f"{owner.__name__}.{name}"))

    def replace_engine(self, build: Build) -> None:
        """Builds the matchmaking engine so; the SQL remains that of the engine that the settings name."""
        self._build = build

    def parts(self, change: Callable[[Parts], None]) -> None:
        """Calls `change` with all parts, when they are made and not yet started."""
        self._changes.append(change)

    def rewritten(self, texts: Sequence[str]) -> list[str]:
        """The SQL that is installed, with the fault. Raises Refused where a piece does not occur exactly once."""
        changed = list(texts)
        for old, new in self._replacements:
            places = [at for at, text in enumerate(changed) if old in text]
            whole = "\0".join(changed)
            _replaced(whole, old, new, "the SQL")
            changed[places[0]] = changed[places[0]].replace(old, new)
        return changed + self._additions

    def engine(self, build: Build) -> Build:
        """How the engine is built: as without the fault (`build`), or otherwise."""
        return self._build or build

    def applied(self, parts: Parts) -> Parts:
        """The parts with the fault."""
        for change in self._changes:
            change(parts)
        return parts


def read_mutation(settings: Settings) -> Mutation:
    """What the file `settings.mutant` changes; nothing where there is none.

    Raises:
        Refused: the file cannot be read, is not Python, or has no function `mutate`; or what that function asks for
            cannot be.
    """
    mutation = Mutation(settings)
    path = settings.mutant
    if path is None:
        return mutation
    mutate = getattr(_loaded(path), "mutate", None)
    if not callable(mutate):
        raise Refused(f"the mutant {path} has no function mutate(server)", _REMEDY)
    mutate(mutation)
    return mutation


def _loaded(path: Path) -> ModuleType:
    name = f"gurukul_mutant_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise Refused(f"there is no mutant {path}", "name a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Refused:
        raise
    except Exception as error:  # noqa: BLE001 — the rim of somebody else's file: whatever is wrong with it is said
        raise Refused(f"the mutant {path} cannot be loaded ({type(error).__name__}: {error})", _REMEDY) from None
    return module


def _replaced(text: str, old: str, new: str, where: str) -> str:
    times = text.count(old)
    if times != 1:
        shown = " ".join(old.split())[:80]
        raise Refused(f"the mutant replaces {shown!r}, which occurs {times} times in {where} instead of once", _REMEDY)
    return text.replace(old, new)
