"""The wire under test, byte by byte: what no client library would send, and all that was said, kept as evidence."""
