"""Open-model load on Locust; the only place that imports locust and gevent."""
