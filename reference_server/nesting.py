"""How deep JSON may be nested that is to be told again: less deep than what can be read."""

from __future__ import annotations

from typing import Any

import orjson


def is_writable(found: Any) -> bool:
    """Whether a value can be written with what we put around it: 1,024 levels can be read, 254 can be written."""
    try:
        orjson.dumps([[[[[[[[found]]]]]]]])
    except TypeError:
        return False
    return True
