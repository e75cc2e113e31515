"""One op as a line of a history: NDJSON, written and read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from msgspec.json import Decoder, Encoder
from msgspec.structs import asdict, fields

from harness.history.op import Op, Outcome, Via

_NUMBER = (int, float)
_CHECKS: dict[str, Callable[[Any], bool]] = {
    "n": lambda value: type(value) is int,
    "t0": lambda value: type(value) in _NUMBER,
    "t1": lambda value: value is None or type(value) in _NUMBER,
    "process": lambda value: type(value) is str,
    "user": lambda value: type(value) is str,
    "device": lambda value: type(value) is str,
    "op": lambda value: type(value) is str and bool(value),
    "value": lambda value: type(value) is dict,
    "seed": lambda value: type(value) is int,
    "due": lambda value: value is None or type(value) in _NUMBER,
}
_OPTIONAL = {"value": {}, "seed": 0, "due": None}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_VIAS = {via.value: via for via in Via}
_KEYS = frozenset(part.name for part in fields(Op))
_encoder = Encoder(enc_hook=str)
decoder = Decoder(Op)
"""Reads one line or many; what no type says, `sound` does."""
_anything = Decoder(Any)


def op_line(op: Op) -> bytes:
    """One op as a line of NDJSON, newline included. What JSON cannot say is written as text, as well as it can be."""
    try:
        return _encoder.encode(op) + b"\n"
    except (TypeError, ValueError, OverflowError):  # lone surrogates, integers over 64 bits: a target may send them
        return orjson.dumps(_plain(asdict(op)), option=orjson.OPT_APPEND_NEWLINE)


def op_lines(ops: list[Op]) -> bytes:
    """The lines of many ops, at once."""
    try:
        return _encoder.encode_lines(ops)
    except (TypeError, ValueError, OverflowError):
        return b"".join(map(op_line, ops))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    return str(value).encode("utf-8", "replace").decode("utf-8")


def op_record(op: Op) -> dict[str, Any]:
    """One op as the JSON object that stands in a history (used for witnesses)."""
    record: dict[str, Any] = _anything.decode(op_line(op))
    return record


def parse_op(line: bytes) -> Op:
    """Reads one line. Unknown keys are refused; `value`, `seed` and `due` may be left out.

    Raises:
        ValueError: says what is wrong.
    """
    try:
        op = decoder.decode(line)
    except ValueError:
        return _checked(orjson.loads(line))
    return op if sound(op) else _checked(orjson.loads(line))


def sound(op: Op) -> bool:
    """Whether what no type says is right, too."""
    return bool(op.op) and (op.t1 is None or op.t1 >= op.t0)


def _checked(row: Any) -> Op:
    """The same, key by key. Raises ValueError with the one that is wrong."""
    if type(row) is not dict:
        raise ValueError("not a JSON object")
    if not row.keys() <= _KEYS:
        raise ValueError(f"unknown key {min(row.keys() - _KEYS)!r}")
    for key, good in _CHECKS.items():
        if key not in row:
            if key not in _OPTIONAL:
                raise ValueError(f"no key {key!r}")
        elif not good(row[key]):
            raise ValueError(f"a wrong {key!r}: {row[key]!r}")
    outcome, via = _OUTCOMES.get(str(row.get("outcome"))), _VIAS.get(str(row.get("via")))
    if outcome is None:
        raise ValueError(f"a wrong 'outcome': {row.get('outcome')!r}")
    if via is None:
        raise ValueError(f"a wrong 'via': {row.get('via')!r}")
    if row["t1"] is not None and row["t1"] < row["t0"]:
        raise ValueError("an end before its start")
    return Op(**{**row, "outcome": outcome, "via": via})
