"""Calibration of sizes: what to ask the network for, so that what is measured is what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from vesalius.scans.formats.json_file import read_json
from vesalius.training.recipe import Settings
from vesalius.training.run import AGAIN, FORMAT

FEWEST = 8
LEAST_SLOPE = 0.2
"""Of what comes out for a change of what is asked; below it there is nothing to correct."""

Draw = tuple[float, float]


class SizeCalibration(Settings):
    """For each pathology a straight line from a wanted size to the one to ask for, and a guidance.

    >>> pairs = [((3.0, 2.5), (7.0, 4.5 + noise)) for noise in (-0.1, 0.1) * 4]
    >>> half = SizeCalibration.of({("herniation", 2.0): pairs})
    >>> round(half.condition("herniation", 4.0), 3), half.guidance["herniation"]
    (6.0, 2.0)
    >>> SizeCalibration().condition("herniation", 4.0)
    4.0
    """

    lines: Mapping[str, tuple[float, float]] = Field(default_factory=dict)
    guidance: Mapping[str, float] = Field(default_factory=dict)

    @classmethod
    def of(
        cls, generated: Mapping[tuple[str, float], Sequence[tuple[Draw, Draw]]]
    ) -> SizeCalibration:  # fmt: skip
        """From draws of each pathology at each scale of guidance.

        They come in pairs of one patient and one seed at two sizes, each (asked, measured). How
        much of a change comes out is told by the pairs, where nothing else differs; patients and
        noise would drown it. The scale is kept that needs the least correction.
        """
        lines: dict[str, tuple[float, float]] = {}
        scales: dict[str, float] = {}
        least: dict[str, float] = {}
        for (name, scale), pairs in generated.items():
            if len(pairs) < FEWEST:
                continue
            requested, measured = np.array(pairs).transpose(2, 0, 1)
            gap = requested[:, 1] - requested[:, 0]
            slope = float(((measured[:, 1] - measured[:, 0]) * gap).sum() / (gap**2).sum())
            if slope <= LEAST_SLOPE:
                continue
            line = (1 / slope, float(requested.mean() - measured.mean() / slope))
            correction = float(np.abs(line[0] * requested + line[1] - requested).mean())
            if correction < least.get(name, np.inf):
                lines[name], scales[name], least[name] = line, scale, correction
        return cls(lines=lines, guidance=scales)

    @classmethod
    def read(cls, run: Path) -> SizeCalibration:
        """Of a finished run."""
        return read_json(run / "calibration.json", cls, AGAIN, FORMAT)

    def condition(self, name: str, wanted_mm: float) -> float:
        """What to ask for."""
        slope, start = self.lines.get(name, (1.0, 0.0))
        return slope * wanted_mm + start
