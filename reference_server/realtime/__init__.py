"""Supabase Realtime: Phoenix channels and Postgres changes from the write-ahead log."""
