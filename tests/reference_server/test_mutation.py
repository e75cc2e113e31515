"""What a mutant may change, and that it never changes nothing by mistake."""

import types
from pathlib import Path

import pytest

from reference_server.db import Refused
from reference_server.mutation import Mutation, read_mutation
from reference_server.settings import Settings


def written(folder: Path, text: str) -> Settings:
    """Settings that name a mutant with this text."""
    path = folder / "mutant.py"
    path.write_text(text, encoding="utf-8")
    return Settings(mutant=path)


def test_without_a_mutant_nothing_changes() -> None:
    """A server without a mutant has the SQL, the engine and the settings that it was given."""
    mutation = read_mutation(Settings())
    assert mutation.rewritten(["a", "b"]) == ["a", "b"]
    assert mutation.settings == Settings()


def test_a_piece_of_sql_is_replaced_where_it_stands() -> None:
    """One piece, in one of the texts; what is added comes last."""
    mutation = Mutation(Settings())
    mutation.sql("two", "three")
    mutation.add_sql("more")
    assert mutation.rewritten(["one", "two"]) == ["one", "three", "more"]


@pytest.mark.parametrize(("texts", "times"), [(["one"], 0), (["two", "two"], 2), (["two two"], 2)])
def test_a_piece_that_is_not_there_once_is_refused(texts: list[str], times: int) -> None:
    """A mutant whose piece has moved must not pass for one."""
    mutation = Mutation(Settings())
    mutation.sql("two", "three")
    with pytest.raises(Refused, match=f"'two', which occurs {times} times in the SQL instead of once"):
        mutation.rewritten(texts)


def test_a_function_is_wrapped() -> None:
    """`wrap` hands the original to the mutant, and puts in its place what it makes of it."""
    module = types.SimpleNamespace(double=lambda number: 2 * number)
    Mutation(Settings()).wrap(module, "double", lambda original: lambda number: original(number) + 1)
    assert module.double(3) == 7


def test_a_name_that_is_not_there_is_refused() -> None:
    """A method of a parent class is not the owner's own: the mutant would change more than it says."""

    class Parent:
        def method(self) -> None: ...

    class Child(Parent): ...

    with pytest.raises(Refused, match="Child has no method of its own"):
        Mutation(Settings()).wrap(Child, "method", lambda original: original)


def test_a_statement_is_replaced_in_its_module() -> None:
    """`text` changes one piece of a constant, and refuses one that is not there."""
    module = types.ModuleType("statements")
    module.__dict__["SELECT"] = "select one"
    mutation = Mutation(Settings())
    mutation.text(module, "SELECT", "one", "two")
    assert module.__dict__["SELECT"] == "select two"
    with pytest.raises(Refused, match=r"occurs 0 times in statements\.SELECT instead of once"):
        mutation.text(module, "SELECT", "one", "two")


def test_settings_are_checked() -> None:
    """A mutant runs with settings that a server could be started with."""
    mutation = Mutation(Settings())
    mutation.set(ping_interval=99.0)
    assert mutation.settings.ping_interval == 99.0
    with pytest.raises(Refused, match="the setting ping_interval: Input should be greater than 0"):
        mutation.set(ping_interval=-1)


def test_a_file_is_read_and_run(tmp_path: Path) -> None:
    """The file's function changes the server."""
    mutation = read_mutation(written(tmp_path, "def mutate(server):\n    server.set(queue_ttl=2.0)\n"))
    assert mutation.settings.queue_ttl == 2.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("MUTANT = {}\n", "has no function mutate"),
        ("import nothing_like_that\n", "cannot be loaded .ModuleNotFoundError"),
        ("def mutate(\n", "cannot be loaded .SyntaxError"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    """Whoever starts the server with a bad file is told what is wrong with it."""
    with pytest.raises(Refused, match=says):
        read_mutation(written(tmp_path, text))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """A path that leads nowhere is named."""
    with pytest.raises(Refused, match=r"there is no mutant .*gone\.py"):
        read_mutation(Settings(mutant=tmp_path / "gone.py"))
