"""Tests of the SEC-WS-* requirements: sockets that break the rules, are too much, or reach for what is another's."""
