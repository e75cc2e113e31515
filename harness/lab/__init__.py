"""Starts and stops real processes: PostgreSQL and the reference server."""
