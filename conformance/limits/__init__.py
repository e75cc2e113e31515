"""Tests of the LIM-* requirements: how much one user may do, and that it costs nobody else."""
