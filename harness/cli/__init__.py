"""The `gurukul` command."""
