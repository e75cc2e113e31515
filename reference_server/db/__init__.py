"""PostgreSQL: schema, pool, claims per transaction; the only place that imports asyncpg."""
