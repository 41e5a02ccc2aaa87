"""Requests: attribute values that synthetic cases are asked to have, in the attributes' units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.scans.input_error import InputError
from vesalius.training.fingerprint import Fingerprint

Request = dict[str, float]


def even_requests(
    ranges: Mapping[str, tuple[float, float]], count: int, seed: int
) -> list[Request]:
    """Requests that fill each range evenly; of several attributes in independent order.

    >>> [r["x_volume_ml"] for r in even_requests({"x_volume_ml": (20.0, 40.0)}, 3, seed=0)]
    [20.0, 30.0, 40.0]
    """
    rng = np.random.default_rng(seed)
    columns = {}
    for index, (name, (low, high)) in enumerate(ranges.items()):
        values = np.linspace(low, high, count)
        columns[name] = values if index == 0 else rng.permutation(values)
    return [{name: float(values[i]) for name, values in columns.items()} for i in range(count)]


def missing_values(
    present: np.ndarray, name: str, low: float, high: float, seed: int, bins: int = 7
) -> list[Request]:
    """Requests that fill the histogram of one attribute up to uniform.

    Every bin between `low` and `high` is brought to the count of the fullest one.

    >>> present = np.array([22.0] * 10 + [45.0] * 4)
    >>> requested = missing_values(present, "x_volume_ml", 20, 50, seed=0, bins=3)
    >>> np.histogram([r["x_volume_ml"] for r in requested], [20, 30, 40, 50])[0].tolist()
    [0, 10, 6]
    """
    counts, edges = np.histogram(present, np.linspace(low, high, bins + 1))
    rng = np.random.default_rng(seed)
    requested = []
    for bottom, top, count in zip(edges, edges[1:], counts, strict=False):
        missing = int(counts.max() - count)
        requested += [
            bottom + (top - bottom) * (i + rng.random()) / missing for i in range(missing)
        ]
    return [{name: float(value)} for value in requested]


def subsample(requests: Sequence[Request], count: int | None, seed: int) -> list[Request]:
    """At most `count` of the requests, picked at random.

    >>> subsample([{"a": 1.0}, {"a": 2.0}, {"a": 3.0}], None, seed=0)
    [{'a': 1.0}, {'a': 2.0}, {'a': 3.0}]
    """
    if count is None or len(requests) <= count:
        return list(requests)
    picked = np.random.default_rng(seed).choice(len(requests), count, replace=False)
    return [requests[row] for row in sorted(picked)]


def within(target: Mapping[str, float], measured: Mapping[str, float], tolerance: float) -> bool:
    """Whether all that was measured is near its target, by a relative error at most `tolerance`.

    >>> within({"x_volume_ml": 20.0}, {"x_volume_ml": 21.9, "y_volume_ml": 3.0}, 0.1)
    True
    """
    return all(
        abs(measured[name] - value) <= tolerance * max(value, 1e-6)
        for name, value in target.items() if name in measured
    )  # fmt: skip


def require_within(
    requests: Sequence[Request], fingerprint: Fingerprint, extrapolate: bool
) -> None:
    """Refuse requests for what the run was not fitted on, or has not seen."""
    for request in requests:
        for name, value in request.items():
            known = fingerprint.attribute(name)
            if not known.holds(value) and not extrapolate:
                unit = f" {known.unit}".rstrip()
                fault = f"{value:g}{unit} is outside the training range"
                remedy = f"ask for {known.low:.4g} to {known.high:.4g}{unit}, or add --extrapolate"
                raise InputError(name, fault, remedy)
            if value < 0:
                raise InputError(name, f"{value:g} is below zero", "ask for a positive value")
