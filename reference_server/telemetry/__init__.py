"""What an operator sees of the server: metrics, and a log in which each request can be followed."""

from reference_server.telemetry.telemetry import Telemetry, Watched

__all__ = ["Telemetry", "Watched"]
