"""The catalogue: well-formed, complete, and the page in docs/ is generated from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from conformance.requirements import CATALOGUE, Requirement
from conformance.requirements.document import page

PAGE = Path(__file__).parents[2] / "docs" / "requirements.md"
FIRST = {*(f"MM-S{number}" for number in range(1, 12)), *(f"MM-L{number}" for number in range(1, 9))} | {
    "SG-S1",
    "SG-S2",
    "SG-S3",
    "SG-S4",
}


def test_every_matching_requirement_is_there() -> None:
    """The catalogue holds the requirements of matching and signalling under their fixed ids."""
    assert set(CATALOGUE) >= FIRST


@pytest.mark.parametrize(
    ("id_", "group"), [("MM-S1", "MM"), ("REST-01", "REST"), ("REST-RLS-16", "REST-RLS"), ("SEC-JWT-03", "SEC-JWT")]
)
def test_a_group_is_what_stands_before_the_number(id_: str, group: str) -> None:
    """-k chooses by it, and tests of the queue are told from those of the wire by it."""
    assert CATALOGUE[id_].group == group


def test_each_entry_says_where_it_comes_from_and_why_it_matters() -> None:
    """A requirement without its source's words, or without its consequence, teaches nothing."""
    for requirement in CATALOGUE.values():
        assert requirement.clause and requirement.quote, requirement.id
        assert requirement.statement.endswith("."), requirement.id
        assert requirement.why.endswith("."), requirement.id


def test_quotes_are_one_line() -> None:
    """A quote stands in a table cell and in a terminal line, so it has no line breaks."""
    assert all("\n" not in requirement.quote for requirement in CATALOGUE.values())


def test_the_page_is_the_catalogue() -> None:
    """docs/requirements.md is what the generator writes: nobody edits it by hand."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_page_says_what_a_pass_rests_on() -> None:
    """Guards and times are for readers too."""
    rule = CATALOGUE["MM-S1"].model_copy(update={"modes": "real", "guards": ("two met", "a third came")})
    text = page({"MM-S1": rule})
    assert "Shown in real time only." in text
    assert "A pass means that two met, and that a third came; otherwise it is `unknown`." in text


def _as_anchor(heading: str) -> str:
    """What a reader of Markdown makes of a heading: letters, digits and hyphens, in small letters."""
    return "".join(letter for letter in heading.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def test_the_page_links_to_its_own_sections() -> None:
    """Each row of the table leads to a heading that exists."""
    text = page()
    headings = {_as_anchor(line[3:]) for line in text.splitlines() if line[:3] == "## "}
    for requirement in CATALOGUE.values():
        anchor = text.split(f"[{requirement.id}](#", 1)[1].split(")", 1)[0]
        assert anchor in headings


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "S1"}, {"level": "MAY"}, {"evidence": "E9"}, {"colour": "red"}, {"modes": "slow"}, {"clause": " "},
        {"quote": ""}, {"quote": "two\nlines"}, {"why": ""}, {"guards": ("",)},
    ],
)  # fmt: skip
def test_a_malformed_entry_is_refused(wrong: dict[str, str]) -> None:
    """A typing error in the catalogue is an error at once, not a requirement that nobody checks."""
    good = CATALOGUE["MM-S1"].model_dump()
    with pytest.raises(ValidationError):
        Requirement.model_validate({**good, **wrong})
