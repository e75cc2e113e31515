"""Tests of the TURN-* requirements: credentials for the relay, and what the relay does with them."""
