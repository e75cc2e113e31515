"""The wire as a client sees it, without I/O: frames, queries and shapes."""
