"""The mutants: reference servers with one fault each, by which the suite itself is tested; run by `gurukul mutants`."""
