"""What a cohort shows of pathologies: which, at which levels, how many, and of what size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from vesalius.anatomy.spine import PATHOLOGIES
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import Landmark
from vesalius.training.recipe import Settings
from vesalius.training.run import AGAIN, FORMAT

NOTE = "pathologies"


class TrainingPathology(Settings):
    """One pathology: sizes in mm of its findings, and how many there were at each level.

    >>> known = TrainingPathology.of("stenosis", [6.0, 8.0, 10.0], ["L4-L5"] * 3)
    >>> known.size_at(0.75), known.severity_of(6.0), known.standardised(8.0)
    (7.0, 1.0, 0.0)
    """

    name: str
    low: float
    high: float
    mean: float
    sd: float
    counts: dict[str, int]

    @classmethod
    def of(cls, name: str, sizes: Sequence[float], levels: Sequence[str]) -> TrainingPathology:
        """From the findings of a cohort."""
        values = np.array(sizes)
        counts = {level: levels.count(level) for level in sorted(set(levels))}
        return cls(
            name=name, low=float(values.min()), high=float(values.max()),
            mean=float(values.mean()), sd=float(max(values.std(), 0.1)), counts=counts,
        )  # fmt: skip

    @property
    def _sign(self) -> int:
        return 1 if PATHOLOGIES[self.name].worse == "larger" else -1

    def size_at(self, severity: float) -> float:
        """Size in mm at a severity of 0, the mildest that was seen, to 1, the worst."""
        ends = (self.low, self.high)[:: self._sign]
        return ends[0] + severity * (ends[1] - ends[0])

    def severity_of(self, size_mm: float) -> float:
        """The inverse of `size_at`, within 0 and 1."""
        ends = (self.low, self.high)[:: self._sign]
        share = (size_mm - ends[0]) / (ends[1] - ends[0]) if ends[0] != ends[1] else 0.5
        return float(min(max(share, 0.0), 1.0))

    def standardised(self, size_mm: float) -> float:
        """The size as networks see it, in standard deviations of the findings, at most 4."""
        return float(np.clip((size_mm - self.mean) / self.sd, -4, 4))


class TrainingPathologies(Settings):
    """All pathologies and levels that a run knows, in the order of its conditions."""

    pathologies: tuple[TrainingPathology, ...]
    levels: tuple[str, ...]

    @classmethod
    def of(
        cls, marks: Iterable[Landmark], levels: Sequence[str], fewest: int
    ) -> TrainingPathologies:
        """From the landmarks of a cohort; what was seen less than `fewest` times is left out."""
        by_name: dict[str, list[Landmark]] = {}
        for mark in marks:
            by_name.setdefault(mark.pathology, []).append(mark)
        unknown = sorted(set(by_name) - set(PATHOLOGIES))
        if unknown:
            fault = f"names {unknown[0]}, of which no measure is known"
            raise InputError("landmarks.csv", fault, f"mark {' or '.join(PATHOLOGIES)}")
        kept = tuple(
            TrainingPathology.of(name, [m.size_mm for m in result], [m.level for m in result])
            for name, result in sorted(by_name.items())
            if len(result) >= fewest
        )
        if not kept:
            counts = ", ".join(f"{len(result)} of {name}" for name, result in by_name.items())
            fault = f"holds too few findings ({counts or 'none'})"
            raise InputError("landmarks.csv", fault, f"mark at least {fewest} of one pathology")
        return cls(pathologies=kept, levels=tuple(levels))

    @classmethod
    def read(cls, run: Path) -> TrainingPathologies:
        """Of a finished run."""
        return read_json(run / f"{NOTE}.json", cls, AGAIN, FORMAT)

    def pathology(self, name: str) -> TrainingPathology:
        """By name, or `InputError`."""
        for one in self.pathologies:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.pathologies)
        raise InputError(name, "is no pathology of this run", f"ask for {known}")

    def require_level(self, level: str) -> None:
        """Refuse a level that the run does not know."""
        if level not in self.levels:
            raise InputError(level, "is no level of this run", f"ask for {', '.join(self.levels)}")

    @property
    def condition_length(self) -> int:
        """Healthy, each pathology, whether each size is known and what it is, and each level."""
        return 1 + 3 * len(self.pathologies) + len(self.levels)

    @property
    def size_columns(self) -> list[tuple[int, int]]:
        """For each pathology where a condition says that its size is known, and the size."""
        first, count = 1 + len(self.pathologies), len(self.pathologies)
        return [(first + index, first + count + index) for index in range(count)]

    def condition(
        self, pathology: str | None, level: str, sizes: Mapping[str, float]
    ) -> list[float]:
        """What a network is told; all zeros stand for no condition.

        Args:
            pathology: the finding, `None` for a healthy level.
            level: of the spine.
            sizes: in mm by pathology, as far as they are known at the landmark. Healthy levels
                have sizes too: a canal that is not narrowed teaches what a diameter is.

        >>> known = TrainingPathologies(levels=("L4-L5",), pathologies=(
        ...     TrainingPathology.of("herniation", [2.0, 6.0], ["L4-L5"] * 2),))
        >>> known.condition("herniation", "L4-L5", {"herniation": 6.0})
        [0.0, 1.0, 1.0, 1.0, 1.0]
        >>> known.condition(None, "L4-L5", {})
        [1.0, 0.0, 0.0, 0.0, 1.0]
        """
        reported = [float(pathology is None)]
        reported += [float(known.name == pathology) for known in self.pathologies]
        reported += [float(known.name in sizes) for known in self.pathologies]
        reported += [
            known.standardised(sizes[known.name]) if known.name in sizes else 0.0
            for known in self.pathologies
        ]
        return reported + [float(known == level) for known in self.levels]
