"""Supabase Realtime: Phoenix channels and Postgres changes from the write-ahead log."""

from reference_server.realtime.service import Realtime

__all__ = ["Realtime"]
