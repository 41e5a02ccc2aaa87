"""The search for copies of training cases, the same for an audit, a proof and a sampler's gate.

A case is compared with every training case in several ways, and each similarity is judged by how
like training cases real people are whom nothing was fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.evidence.alignment import AlignedSearch
from vesalius.evidence.copy_features import Embed, FeatureReader, Features, Pair, Ways, label_levels
from vesalius.evidence.figure import Figure
from vesalius.evidence.memorisation import (
    FEWEST_HELD_OUT,
    STANDARD_DEVIATIONS,
    CopyAudit,
    audit_similarity,
    cautious_deviations,
    centred_cosines,
)
from vesalius.evidence.patches import PatchAudit, PatchSearch, audit_patches
from vesalius.scans.case import Case, Scan, images_digest
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import chosen_workers
from vesalius.scans.executor import each
from vesalius.scans.grid import fit_grid, whole_grid
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.reading import Scans

Judge = Callable[[np.ndarray, np.ndarray, float], CopyAudit | PatchAudit]
JUDGES: dict[str, Judge] = {
    "image": audit_similarity, "labels": audit_similarity, "patches": audit_patches,
    "embedding": audit_similarity,
}  # fmt: skip

ALIGNED = ("image", "labels")
SAMPLED = 40
"""Training cases that the common grid is laid around, and at most stand in for held-out ones."""


def training_cases(real: Cohort) -> list[Case]:
    """The real cases of split `train` or of none."""
    return [c for c in real.cases if not c.synthetic and c.split not in ("val", "test")]


def require_training_cases(real: Cohort, training: Sequence[Case] | None = None) -> None:
    """Refuse a cohort with fewer than two training cases, as there is no next nearest then.

    Raises:
        InputError: naming the cohort.
    """
    count = len(training_cases(real) if training is None else training)
    if count < 2:
        remedy = "check its splits, and that it is the right cohort"
        raise InputError(real.folder, f"has {count} training cases", remedy)


@dataclass(frozen=True)
class Match:
    """A training case that a case copies.

    Attributes:
        case: name of the training case.
        found_by: `image`, `labels`, `patches` or `embedding`, the first that found it; `parent`
            where the case itself says that it was edited from the training case.
        similarity: cosine at the best place; for patches the lead of the training case; none of
            a parent.
    """

    case: str
    found_by: str
    similarity: float | None


class CopySearch:
    """Training cases, kept in the form in which others are compared with them.

    The first channel of each case is brought to one grid, about the middle of its labels, or of
    its field of view where some case has none. `image` compares whole volumes, `labels` whole
    label maps, `patches` pieces near the same place, `embedding` what a network sees.

    Args:
        real: cohort of the training cases.
        training: its cases that something was fitted on.
        held_out: real cases that nothing was fitted on, with their cohorts. Where they are fewer
            than 12, some training cases stand in, compared with the other patients.
        labelled: whether label maps are there and compared.
        embed: adds `embedding`.
        progress: called after each case.

    Raises:
        InputError: for fewer than two training cases.
    """

    def __init__(
        self, real: Cohort, training: Sequence[Case], held_out: Sequence[Pair], labelled: bool,
        embed: Embed | None = None, progress: Progress = no_progress,
    ) -> None:  # fmt: skip
        require_training_cases(real, training)
        self.training = tuple(training)
        sample = training[:SAMPLED]
        if labelled:
            scans = Scans([(real, case) for case in sample])
            self.grid = fit_grid(scans, multiple=4)
            placed = (self.grid.place(scan) for scan in scans)
            levels = label_levels(placed, max(real.description.labels.values()))
        else:
            self.grid = whole_grid(Scans([(real, case) for case in sample], labelled=False))
            levels = None
        self._reader = FeatureReader(self.grid, levels, embed)
        own = Features.of(
            self.read([(real, case) for case in training], "reading training cases", progress)
        )
        self._searches = _Searches(own)
        self.details = {"training": own.ways["image"]}
        if len(held_out) >= FEWEST_HELD_OUT:
            unseen = Features.of(self.read(held_out, "reading held-out cases", progress))
            rest = self._searches
            self.details["held_out"] = unseen.ways["image"]
        else:
            subjects = list(dict.fromkeys(case.subject for case in training))
            aside = set(subjects[:: max(2, len(subjects) // SAMPLED)][:SAMPLED])
            apart = np.array([case.subject in aside for case in training])
            unseen = own.subset(np.flatnonzero(apart).tolist())
            rest = _Searches(own.subset(np.flatnonzero(~apart).tolist()))
        compared = track(range(len(unseen)), "comparing real cases", len(unseen), progress)
        rows = [rest.similarities(unseen.of_row(row)) for row in compared]
        self.baseline = {way: np.stack([row[way] for row in rows]) for way in rows[0]}

    @classmethod
    def of(
        cls, real: Cohort, labelled: bool, progress: Progress = no_progress
    ) -> CopySearch:  # fmt: skip
        """A search among the training cases of a cohort, judged by its cases of val and test."""
        training = training_cases(real)
        held_out = [(real, case) for case in real.of_split("val", "test") if not case.synthetic]
        return cls(real, training, held_out, labelled, progress=progress)

    def read(self, pairs: Sequence[Pair], what: str, progress: Progress) -> Iterator[Ways]:
        """What is compared of cases on disk, one after the other."""
        if self._reader.embed is not None:  # its network is here
            return track(map(self._reader, pairs), what, len(pairs), progress)
        short = {id(cohort): cohort.alone() for cohort, _ in pairs}
        sent = [(short[id(cohort)], case) for cohort, case in pairs]
        return each(self._reader, sent, what, progress, chosen_workers(1))

    def features(self, scan: Scan) -> Ways:
        """What is compared of a scan, by the way of comparing."""
        return self._reader.of(scan)

    def similarities(
        self, features: Mapping[str, np.ndarray], excluded: Sequence[int] = ()
    ) -> dict[str, np.ndarray]:
        """Similarity to each training case `(N,)` by each way; those excluded are passed over."""
        return self._searches.similarities(features, excluded)

    def judged(
        self, rows: Mapping[str, np.ndarray], deviations: float = STANDARD_DEVIATIONS
    ) -> dict[str, CopyAudit | PatchAudit]:
        """Similarities `(M, N)` judged by those of held-out people, by each way."""
        return {way: JUDGES[way](own, self.baseline[way], deviations) for way, own in rows.items()}

    def match(self, scan: Scan, provenance: Mapping[str, Any] | None = None) -> Match | None:
        """The training case that a scan copies, if it does, for a gate.

        A gate is stricter than an audit, which knows other held-out people: few of them leave open
        where the bounds lie, and another draw costs little. Of an edited scan, which another draw
        leaves as it is but for the edit, no more is asked than by the audit.

        Args:
            scan: in the space and with the labels of the cohort.
            provenance: names the case that the scan was made from, with which it is not compared.
        """
        origin = provenance or {}
        similar = self.similarities(self.features(scan), self.excluded(origin))
        rows = {way: row[None] for way, row in similar.items()}
        deviations = STANDARD_DEVIATIONS
        if not origin.get("parent"):
            deviations = cautious_deviations(len(next(iter(self.baseline.values()))))
        return self.first_match(self.judged(rows, deviations), 0)

    def first_match(
        self, judged: Mapping[str, CopyAudit | PatchAudit], row: int
    ) -> Match | None:  # fmt: skip
        """What the first way that calls a case a copy has found."""
        for way, result in judged.items():
            if result.copies[row]:
                source = self.training[int(result.nearest[row])].name
                return Match(source, way, float(result.synthetic[row]))
        return None

    def parent(self, provenance: Mapping[str, Any]) -> Case | None:
        """The training case that a case was made from, by its name and its images."""
        name, images = provenance.get("parent"), provenance.get("parent_images")
        named = (case for case in self.training if case.name == name)
        return next((case for case in named if images in (None, _digest_of(case.images))), None)

    def excluded(self, provenance: Mapping[str, Any]) -> list[int]:
        """Training cases of the subject that a case was made from."""
        own = self.parent(provenance)
        of_own = own and [case.subject == own.subject for case in self.training]
        return [row for row, same in enumerate(of_own or []) if same]


class _Searches:
    """The ways of comparing with some cases."""

    def __init__(self, cases: Features) -> None:
        if len(cases) < 2:
            raise InputError("audit", "has too few training cases", "add some, or held-out ones")
        self._aligned = {
            way: AlignedSearch(own) for way, own in cases.ways.items() if way in ALIGNED
        }  # fmt: skip
        self._patches = PatchSearch(cases.ways["patches"])
        self._embedded = cases.ways.get("embedding")

    def similarities(
        self, features: Mapping[str, np.ndarray], excluded: Sequence[int] = ()
    ) -> dict[str, np.ndarray]:
        result = {
            way: search.similarity([features[way]], [excluded])[0]
            for way, search in self._aligned.items()
        }
        result["patches"] = self._patches.similarity([features["patches"]], [excluded])[0]
        if self._embedded is not None:
            result["embedding"] = centred_cosines(self._embedded, features["embedding"][None])[0][0]
            result["embedding"][list(excluded)] = -1.0
        return result


@lru_cache(maxsize=4096)
def _digest_of(images: tuple[Path, ...]) -> str:
    return images_digest(images)


@cache
def published_rates() -> dict[str, float]:
    """Shares of planted copies that the search finds, by kind, and of other patients called copies.

    Of phantoms, as `benchmarks/copies.py` measured them.

    >>> 0 <= published_rates()["copies/others/called_copies"] <= 1
    True
    """
    content = json.loads((Path(__file__).parent / "copies.json").read_text(encoding="utf-8"))
    return {name: float(value) for name, value in content.items()}


def audit_verdict(figures: Mapping[str, Figure]) -> str:
    """What was found of copies and of edited training cases, and at which rates, in words."""
    copies, edited = (figures.get(f"memorisation/{kind}") for kind in ("copies", "edited"))
    if copies is None:
        return ""
    said = f"The audit calls {copies.value:.0f} of {copies.n} synthetic cases copies of a training "
    said += f"case{': do not release these.' if copies.value else '.'}"
    if edited and edited.value:
        said += f" {edited.value:.0f} were edited from a training case, as they say: they show that"
        said += " patient, so do not release these either."
    return f"{said} {audit_rates()}"


def audit_rates() -> str:
    """The rates beside which a verdict is shown, as a sentence."""
    rates = published_rates()
    whole = [v for k, v in rates.items() if k.endswith("detected") and "piece_" not in k]
    pieces = [v for k, v in rates.items() if k.startswith("copies/piece_")]
    return (
        f"On phantoms the audit finds {min(whole):.0%} to {max(whole):.0%} of planted copies, by "
        f"how they were changed, {min(pieces):.0%} to {max(pieces):.0%} of planted pieces, and "
        f"calls {rates['copies/others/called_copies']:.1%} of other patients copies."
    )
