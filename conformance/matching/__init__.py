"""Tests of the MM-* requirements."""
