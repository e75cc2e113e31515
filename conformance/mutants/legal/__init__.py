"""Lawful variants of the reference server: nothing of the suite may go red on them."""
