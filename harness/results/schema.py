"""The JSON Schema of run.json, made from the models: `python -m harness.results.schema > docs/run.schema.json`."""

from __future__ import annotations

import json
import sys
from typing import Any

from harness.results.run import RUN, SCHEMA

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def run_schema() -> dict[str, Any]:
    """The schema of a run of the current version, of any kind (JSON Schema, draft 2020-12)."""
    schema = RUN.json_schema(by_alias=True, mode="serialization")
    return {"$schema": _DIALECT, "$id": SCHEMA, "title": f"A stored run ({SCHEMA})", **schema}


def schema_text() -> str:
    """The schema as its file holds it."""
    return json.dumps(run_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
