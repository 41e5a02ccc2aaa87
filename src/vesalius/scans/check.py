"""What have I got, what is rare, and what is wrong: a cohort read once from end to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import chosen_workers
from vesalius.scans.executor import each
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.intensity import intensity_range
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.volume import Volume


@dataclass(frozen=True)
class Histogram:
    """Counts of one attribute in bins of equal width.

    >>> skewed = Histogram.of("ventricle_volume_ml", np.array([20.0] * 30 + [25.0] * 9 + [60.0]), 4)
    >>> skewed.counts.tolist(), skewed.rare
    ([39, 0, 0, 1], ((30.0, 40.0), (40.0, 50.0), (50.0, 60.0)))
    """

    attribute: str
    edges: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, attribute: str, values: np.ndarray, bins: int = 8) -> Histogram:
        """Bin the values `(N,)` between their extremes."""
        counts, edges = np.histogram(values, bins=bins)
        return cls(attribute, edges, counts)

    @property
    def rare(self) -> tuple[tuple[float, float], ...]:
        """Bins that hold less than a quarter of what a uniform cohort would have there."""
        even = self.counts.sum() / len(self.counts)
        return tuple(
            (float(low), float(high))
            for low, high, count in zip(self.edges, self.edges[1:], self.counts, strict=False)
            if count < even / 4
        )


@dataclass(frozen=True)
class CohortCheck:
    """All that a first look at a cohort should tell."""

    cohort: Cohort
    sound: tuple[Case, ...]
    faults: tuple[InputProblem, ...]
    shapes: Counter[str]
    spacings: Counter[str]
    orientations: Counter[str]
    label_cases: dict[str, int]
    label_ml: dict[str, float]
    intensity: tuple[float, float]
    attributes: dict[str, np.ndarray]

    @property
    def categories(self) -> dict[str, Counter[str]]:
        """How many sound cases have which text, by column."""
        columns = dict.fromkeys(name for case in self.sound for name in case.categories)
        return {
            name: Counter(case.categories[name] for case in self.sound if name in case.categories)
            for name in columns
        }

    @property
    def histograms(self) -> list[Histogram]:
        """One histogram for each attribute that varies."""
        return [
            Histogram.of(name, values)
            for name, values in self.attributes.items()
            if len(values) > 1 and np.ptp(values) > 0
        ]

    def _repr_html_(self) -> str:
        """A table for notebooks: attributes with their range, then the faults."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{len(values)}</td><td>{values.min():.4g}</td>"
            f"<td>{np.median(values):.4g}</td><td>{values.max():.4g}</td></tr>"
            for name, values in self.attributes.items()
        )
        head = "".join(
            f"<th>{name}</th>" for name in ("attribute", "cases", "least", "median", "greatest")
        )
        faults = "".join(f"<li>{escape(str(fault))}</li>" for fault in self.faults)
        counts = f"<p>{len(self.sound)} sound cases, {len(self.faults)} faults</p>"
        return f"{counts}<table><tr>{head}</tr>{rows}</table><ul>{faults}</ul>"


def check_cohort(
    cohort: Cohort,
    measures: Mapping[str, Callable[[Volume], float]] | None = None,
    progress: Progress = no_progress,
) -> CohortCheck:
    """Read every case, keep the sound ones, and count what is in them.

    Args:
        cohort: the cohort as found on disk.
        measures: what to measure on label maps, by name, beside what is in `cases.csv`.
        progress: called after each case.
    """
    sound, faults = [], list(cohort.faults)
    shapes: Counter[str] = Counter()
    spacings: Counter[str] = Counter()
    orientations: Counter[str] = Counter()
    label_cases = dict.fromkeys(cohort.description.foreground, 0)
    label_ml: dict[str, list[float]] = {name: [] for name in cohort.description.foreground}
    ranges, values = [], {}
    read = _CaseReader(cohort.alone(), measures or {})
    summaries = each(read, cohort.cases, "reading cases", progress, chosen_workers(1))
    for case, seen in zip(cohort.cases, summaries, strict=True):
        if isinstance(seen, InputProblem):
            faults.append(seen)
            continue
        sound.append(case)
        shapes[seen.shape] += 1
        spacings[seen.spacing] += 1
        orientations[seen.orientation] += 1
        for name, own in seen.label_ml.items():
            label_cases[name] += own > 0
            label_ml[name].append(own)
        ranges.append(seen.intensity)
        values[case.name] = seen.attributes
    names = list(dict.fromkeys(name for row in values.values() for name in row))
    low, high = np.median(ranges, axis=0) if ranges else (0.0, 0.0)
    return CohortCheck(
        cohort,
        tuple(sound),
        tuple(faults),
        shapes,
        spacings,
        orientations,
        label_cases,
        {name: float(np.median(result)) if result else 0.0 for name, result in label_ml.items()},
        (float(low), float(high)),
        {name: np.array([row[name] for row in values.values() if name in row]) for name in names},
    )


@dataclass(frozen=True)
class _CaseSummary:
    """What is counted of one sound case."""

    shape: str
    spacing: str
    orientation: str
    label_ml: Mapping[str, float]
    intensity: tuple[float, float]
    attributes: Mapping[str, float]


@dataclass(frozen=True)
class _CaseReader:
    """Reads one case of a cohort."""

    cohort: Cohort
    measures: Mapping[str, Callable[[Volume], float]]

    def __call__(self, case: Case) -> _CaseSummary | InputProblem:
        try:
            scan = self.cohort.read(case)
        except InputError as refusal:
            return refusal.fault
        label_map = scan.label_map
        measured = {name: measure(label_map) for name, measure in self.measures.items()}
        return _CaseSummary(
            "×".join(map(str, label_map.shape)),
            "×".join(f"{size:g}" for size in label_map.spacing_mm) + " mm",
            label_map.orientation,
            {
                name: int((label_map.voxels == value).sum()) * label_map.voxel_ml
                for name, value in self.cohort.description.foreground.items()
            },
            intensity_range(scan.channels[0].voxels),
            dict(case.attributes) | measured,
        )
