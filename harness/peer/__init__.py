"""Headless WebRTC peers; the only place that imports aiortc."""
