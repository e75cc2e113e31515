"""Pure functions from a history to findings."""
