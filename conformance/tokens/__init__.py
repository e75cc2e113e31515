"""Attacks on tokens: what must never be taken for a signed-in user, by any of the three doors."""
