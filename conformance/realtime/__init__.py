"""Tests of the RT-* requirements: the wire of Realtime as the official clients need it."""
