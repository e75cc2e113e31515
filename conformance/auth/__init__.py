"""Auth as GoTrue speaks it: coming in, staying in, going out, and what the tokens say."""
