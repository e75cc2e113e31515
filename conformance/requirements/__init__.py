"""The catalogue of requirements: what a target must do, in whose words, and what shows that it does not."""

from conformance.requirements.catalogue import CATALOGUE, Requirement

__all__ = ["CATALOGUE", "Requirement"]
