"""`python -m harness.cli` is `gurukul`."""

from harness.cli.main import entry

entry()
