"""The Gurukul harness: one history, two drivers, one judge."""
