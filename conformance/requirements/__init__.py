"""The catalogue of requirements."""
