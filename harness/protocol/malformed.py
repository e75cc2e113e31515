"""The one error of the wire: what came does not have the shape that the protocol gives it."""

from __future__ import annotations


class Malformed(ValueError):
    """A frame, a row or a token that cannot be read; the text says what was expected and what came."""
