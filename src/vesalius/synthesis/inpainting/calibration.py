"""Calibration of sizes: what to ask the network for, so that what is measured is what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field, ValidationError

from vesalius.scans.fault import Refused
from vesalius.training.recipe import Settings

FEWEST = 8


class SizeCalibration(Settings):
    """For each pathology the straight line from a wanted size to the one to ask for.

    >>> half = SizeCalibration.of({"herniation": [(float(s), s / 2 + 1) for s in range(2, 12)]})
    >>> round(half.condition("herniation", 4.0), 3)
    6.0
    >>> SizeCalibration().condition("herniation", 4.0)
    4.0
    """

    lines: Mapping[str, tuple[float, float]] = Field(default_factory=dict)

    @classmethod
    def of(cls, drawn: Mapping[str, Sequence[tuple[float, float]]]) -> SizeCalibration:
        """From pairs of a size that was asked for and the one that was measured."""
        lines = {}
        for name, pairs in drawn.items():
            asked, measured = np.array(pairs).T
            if len(pairs) < FEWEST or np.ptp(measured) < 0.5:
                continue
            slope, start = np.polyfit(asked, measured, 1)
            if slope > 0.3:
                lines[name] = (float(1 / slope), float(-start / slope))
        return cls(lines=lines)

    @classmethod
    def read(cls, run: Path) -> SizeCalibration:
        """Of a finished run."""
        path = run / "calibration.json"
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValidationError) as error:
            raise Refused(path, "is missing or damaged", "fit this run again") from error

    def condition(self, name: str, wanted_mm: float) -> float:
        """What to ask for."""
        slope, start = self.lines.get(name, (1.0, 0.0))
        return slope * wanted_mm + start
