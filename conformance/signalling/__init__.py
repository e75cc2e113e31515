"""Tests of the SG-* requirements."""
