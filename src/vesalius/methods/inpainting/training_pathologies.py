"""What a cohort shows of pathologies: which, at which levels, how many, and of what size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from vesalius.anatomy.lesions import diameter_mm
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import Landmark
from vesalius.training.recipe import Settings
from vesalius.training.run import AGAIN, FORMAT

NOTE = "pathologies"

Form = Literal["reach", "opening", "ball"]
"""What a size measures: how far a finding reaches, what it leaves open, or its diameter."""
FORMS: dict[str, Form] = {"herniation": "reach", "stenosis": "opening"}


class TrainingPathology(Settings):
    """One pathology: sizes in mm of its findings, and how many there were at each level.

    Attributes:
        name: of the pathology.
        low, high, mean, sd: of the sizes.
        counts: findings by level of the spine, or by the organ that they lie in.
        form: what a size measures.
        room: of lesions, how near to its organ's border one may lie: see `anatomy.lesions.Lesion`.

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
    form: Form
    room: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _of_the_spine(cls, values: Any) -> Any:
        """Runs from before there were lesions know those of the spine by name alone."""
        if isinstance(values, dict) and values.get("name") in FORMS:
            return {"form": FORMS[values["name"]]} | values
        return values

    @classmethod
    def of(
        cls, name: str, sizes: Sequence[float], levels: Sequence[str], form: Form | None = None,
        room: float = 0.0,
    ) -> TrainingPathology:  # fmt: skip
        """From the findings of a cohort."""
        values = np.array(sizes)
        counts = {level: levels.count(level) for level in sorted(set(levels))}
        return cls(
            name=name, low=float(values.min()), high=float(values.max()),
            mean=float(values.mean()), sd=float(max(values.std(), 0.1)), counts=counts,
            form=form or FORMS[name], room=room,
        )  # fmt: skip

    @property
    def _sign(self) -> int:
        return -1 if self.form == "opening" else 1

    @property
    def radius_share(self) -> float:
        """How far a finding reaches from its landmark, as a share of its size."""
        return 0.5 if self.form == "ball" else 1.0

    def size_at(self, severity: float) -> float:
        """Size in mm at a severity of 0, the mildest that was seen, to 1, the worst."""
        ends = (self.low, self.high)[:: self._sign]
        return ends[0] + severity * (ends[1] - ends[0])

    def severity_of(self, size_mm: float) -> float:
        """The inverse of `size_at`, within 0 and 1."""
        ends = (self.low, self.high)[:: self._sign]
        share = (size_mm - ends[0]) / (ends[1] - ends[0]) if ends[0] != ends[1] else 0.5
        return float(min(max(share, 0.0), 1.0))

    def size_of(self, volume_ml: float) -> float:
        """Size in mm of a lesion of some mL.

        Raises:
            InputError: for findings whose size is no diameter.
        """
        if self.form != "ball":
            raise InputError("--size-ml", f"is no size of {self.name}", "give --size-mm")
        return diameter_mm(volume_ml)

    def standardised(self, size_mm: float) -> float:
        """The size as networks see it, in standard deviations of the findings, at most 4."""
        return float(np.clip((size_mm - self.mean) / self.sd, -4, 4))


class TrainingPathologies(Settings):
    """All pathologies and levels that a run knows, in the order of its conditions."""

    pathologies: tuple[TrainingPathology, ...]
    levels: tuple[str, ...]

    @classmethod
    def of(
        cls, marks: Iterable[Landmark], levels: Sequence[str], fewest: int,
        form: Form | None = None, rooms: Mapping[str, float] | None = None,
    ) -> TrainingPathologies:  # fmt: skip
        """From the findings of a cohort; what was seen less than `fewest` times is left out.

        Args:
            marks: findings with their sizes.
            levels: where they can be.
            fewest: findings of a pathology below which it is not learnt.
            form: what sizes measure; by the pathology's name if `None`.
            rooms: of lesions by pathology, see `TrainingPathology`.

        Raises:
            InputError: if nothing is left.
        """
        by_name: dict[str, list[Landmark]] = {}
        for mark in marks:
            by_name.setdefault(mark.pathology, []).append(mark)
        kept = tuple(
            TrainingPathology.of(
                name,
                [m.size_mm for m in own],
                [m.level for m in own],
                form,
                (rooms or {}).get(name, 0.0),
            )
            for name, own in sorted(by_name.items())
            if len(own) >= fewest
        )
        if not kept:
            counts = ", ".join(f"{len(own)} of {name}" for name, own in by_name.items())
            fault = f"holds too few findings ({counts or 'none'})"
            where = "label maps" if form == "ball" else "landmarks.csv"
            raise InputError(where, fault, f"mark at least {fewest} of one pathology")
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

    def levels_of(self, pathology: str) -> tuple[str, ...]:
        """Where a pathology can be: a lesion where training has shown it."""
        own = self.pathology(pathology)
        return tuple(own.counts) if own.form == "ball" else self.levels

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
