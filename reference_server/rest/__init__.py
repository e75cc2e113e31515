"""The PostgREST subset that the matchmaking client uses."""
