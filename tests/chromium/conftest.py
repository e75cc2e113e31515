"""Chromium for the tests, once for all; a machine without it reports them as not verified."""

from __future__ import annotations

from harness.lab.chromium import program

collect_ignore = [] if program() else ["test_calls.py"]
