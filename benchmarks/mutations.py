"""How a campaign damages files: bytes, JSON and tables, each by a seeded generator."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator
Mutation = Callable[[bytes, Rng], bytes]

JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 255, 2**31, -(2**31), 2**63, 10**400, 0.5, -0.0, 1e308, -1e308,
    1e-320, float("nan"), float("inf"), "", " ", "0", "nan", "1e999", "x" * 5000, "\x00", "\x1b[2J",
    "\ud800", "é", "../../etc/passwd", "/dev/zero", "a,b", "=1+1", [], {}, [[]], [None], {"": None},
    list(range(300)), {"a": {"b": {"c": []}}},
)  # fmt: skip
"""Values that do not belong."""

CELLS = (
    "", " ", "nan", "inf", "-inf", "1e999", "-1", "0", "2", "x", "1,5", '"', '""', "'", "a\nb",
    "a\r\nb",
    "\x00", "\x1b[31m", "é", "日本", "=1+1", "../x", "x" * 3000, "1" * 400, "0x10", "1_000", "TRUE",
)  # fmt: skip


def bytes_mutated(content: bytes, rng: Rng) -> bytes:
    """Some damage of bytes: flips, cuts, doublings, zeros, insertions, extreme numbers."""
    found = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        size = len(found)
        place = int(rng.integers(0, size + 1))
        length = int(rng.integers(1, max(2, min(size, 4096) + 1)))
        match int(rng.integers(0, 9)):
            case 0 if size:
                for at in rng.integers(0, size, int(rng.integers(1, 9))):
                    found[at] ^= 1 << int(rng.integers(0, 8))
            case 1:
                del found[place:]
            case 2:
                del found[place : place + length]
            case 3:
                found[place:place] = found[place : place + length]
            case 4:
                found[place : place + length] = bytes(len(found[place : place + length]))
            case 5:
                found[place:place] = rng.bytes(length)
            case 6:
                kind = rng.choice(["<i2", "<i4", "<i8", "<f4", "<f8", ">i2", ">i4"])
                value = rng.choice([0, -1, 1, 32767, -32768, 3, 5])
                found[place : place + np.dtype(kind).itemsize] = np.array(value, kind).tobytes()
            case 7 if size:
                found[int(rng.integers(0, min(size, 400)))] = int(rng.integers(0, 256))
            case _:
                extreme = [np.nan, np.inf, -np.inf, 1e38, 1e-38, 0.0]
                found[place : place + 4] = np.array(rng.choice(extreme), "<f4").tobytes()
    return bytes(found)


def text_mutated(content: bytes, rng: Rng) -> bytes:  # noqa: PLR0911
    """Damage that text suffers: other encodings, marks, ends of lines, cuts, and that of bytes."""
    text = content.decode("utf-8", "replace")
    match int(rng.integers(0, 8)):
        case 0:
            return (text + "Müller").encode("latin-1", "replace")
        case 1:
            return text.encode(str(rng.choice(["utf-16", "utf-32", "utf-16-le"])))
        case 2:
            return text.encode("utf-8-sig")
        case 3:
            return text.replace("\n", "\r\n").encode()
        case 4:
            return b"[" * int(rng.integers(1, 40_000))
        case 5:
            return rng.bytes(int(rng.integers(0, 300)))
        case _:
            return bytes_mutated(content, rng)


def json_mutated(content: bytes, rng: Rng) -> bytes:
    """JSON of another shape: values replaced, removed, doubled, nested; a third is sealed anew."""
    if rng.random() < 0.25:
        return text_mutated(content, rng)
    value = json.loads(content)
    for _ in range(int(rng.integers(1, 4))):
        value = _changed(value, rng)
    if isinstance(value, dict) and "seal" in value and rng.random() < 0.33:
        inner = {name: one for name, one in value.items() if name not in ("seal", "format")}
        try:
            text = json.dumps(inner, sort_keys=True)
        except (TypeError, ValueError, RecursionError):
            text = ""
        value["seal"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
    try:
        return json.dumps(value).encode("utf-8", "surrogatepass")
    except RecursionError:  # nested more deeply than can be written here
        return b'{"a":' * 3000


def _changed(value: Any, rng: Rng) -> Any:  # noqa: PLR0911
    """The same with one node, at any depth, changed."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = keys[int(rng.integers(0, len(keys)))]
        match int(rng.integers(0, 8)):
            case 0:
                return _without(value, key)
            case 1 if isinstance(value, list):
                return [*value, value[key]]
            case 1 if isinstance(value, dict):
                return value | {str(key) + "x": value[key]}
            case 2 if isinstance(value, dict):
                return {("" if name == key else name): one for name, one in value.items()}
            case _:
                changed = _changed(value[key], rng)
        if isinstance(value, dict):
            return value | {key: changed}
        return [*value[:key], changed, *value[key + 1 :]]
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.5:
        return value * int(rng.choice([-1, 0, 2, 10, 1000, 10**6, 10**9]))
    if rng.random() < 0.05:
        deep: Any = value
        for _ in range(int(rng.integers(10, 900))):
            deep = [deep]
        return deep
    return JUNK[int(rng.integers(0, len(JUNK)))]


def _without(value: Any, key: Any) -> Any:
    if isinstance(value, dict):
        return {name: one for name, one in value.items() if name != key}
    return [one for place, one in enumerate(value) if place != key]


def table_mutated(content: bytes, rng: Rng) -> bytes:
    """A table of another shape: cells, rows and columns changed, doubled, lost."""
    if rng.random() < 0.25:
        return text_mutated(content, rng)
    rows = list(csv.reader(io.StringIO(content.decode())))
    for _ in range(int(rng.integers(1, 5))):
        if not rows:
            break
        row = int(rng.integers(0, len(rows)))
        cell = int(rng.integers(0, max(1, len(rows[row]))))
        junk = CELLS[int(rng.integers(0, len(CELLS)))]
        match int(rng.integers(0, 9)):
            case 0:
                rows.append(list(rows[row]))
            case 1:
                del rows[row]
            case 2:
                rows[row].append(junk)
            case 3 if rows[row]:
                del rows[row][cell]
            case 4:
                rows.insert(row, [junk] * int(rng.integers(0, 60)))
            case 5 if rng.random() < 0.05:
                rows[row] = ["x" * int(rng.integers(130_000, 140_000))]
            case _ if rows[row]:
                rows[row][cell] = junk
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=int(rng.choice([0, 0, 1, 2]))).writerows(rows)
    text = stream.getvalue()
    if rng.random() < 0.1:
        text = text.replace('"', "", 1)
    return text.encode("utf-8", "surrogatepass")
