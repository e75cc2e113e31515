"""What the headers of a request ask for."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from reference_server.rest.errors import RestError
from reference_server.rest.preferences import Preferences, read_preferences


@pytest.mark.parametrize(
    ("headers", "preferences"),
    [
        ({}, Preferences()),
        ({"accept": "application/json"}, Preferences()),
        ({"accept": "application/vnd.pgrst.object+json"}, Preferences(single=True)),
        ({"accept": "application/vnd.pgrst.object+json;nulls=stripped"}, Preferences(single=True, strip_nulls=True)),
        ({"accept": "application/vnd.pgrst.array+json"}, Preferences()),
        ({"prefer": "return=representation"}, Preferences(returning="rows", applied="return=representation")),
        ({"prefer": "return=headers-only"}, Preferences(returning="key", applied="return=headers-only")),
        ({"prefer": "missing=default"}, Preferences(defaults=True, applied="missing=default")),
        ({"prefer": "tx=rollback"}, Preferences()),
        ({"prefer": "max-affected=2"}, Preferences()),
        (
            {"prefer": "max-affected=2, handling=strict"},
            Preferences(most=2, applied="handling=strict, max-affected=2"),
        ),
        ({"prefer": "return=minimal, return=representation"}, Preferences(applied="return=minimal")),
        (
            {"prefer": "resolution=merge-duplicates,return=minimal"},
            Preferences(resolution="merge-duplicates", applied="resolution=merge-duplicates, return=minimal"),
        ),
        ({"prefer": "count=exact"}, Preferences(count="exact", applied="count=exact")),
        ({"prefer": "count=planned"}, Preferences(count="planned", applied="count=planned")),
        ({"prefer": "something=else"}, Preferences()),
        ({"content-profile": "public", "accept-profile": "public"}, Preferences()),
    ],
)
def test_read(headers: dict[str, str], preferences: Preferences) -> None:
    """Served preferences are read and echoed; unknown ones are passed over (RFC 7240 section 2)."""
    assert read_preferences("POST", Headers(headers)) == preferences


@pytest.mark.parametrize(
    ("headers", "status", "code", "text"),
    [
        ({"accept-profile": "auth"}, 406, "PGRST106", "Invalid schema: auth"),
        ({"accept": "text/csv"}, 406, "PGRST107", "None of these media types are available: text/csv"),
        (
            {"prefer": "handling=strict, nonsense, tx=rollback"},
            400,
            "PGRST122",
            "Invalid preferences: nonsense, tx=rollback",
        ),
    ],
)
def test_refusals(headers: dict[str, str], status: int, code: str, text: str) -> None:
    """What is not served is refused by name, never passed over where it would change the answer."""
    with pytest.raises(RestError) as caught:
        read_preferences("GET", Headers(headers))
    assert (caught.value.status, caught.value.code) == (status, code)
    assert text in {caught.value.message, caught.value.details}
