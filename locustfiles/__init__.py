"""Thin locustfiles: each chooses a persona and a pace."""
