"""Credentials for the TURN server that relays media where two peers cannot reach each other (RFC 8656)."""
