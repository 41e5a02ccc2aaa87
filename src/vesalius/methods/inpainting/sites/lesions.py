"""Lesions of any organ: connected parts of a label, in the organs that host them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from vesalius.anatomy.attributes import volume_ml
from vesalius.anatomy.lesions import diameter_mm, find_lesions, free_places
from vesalius.methods.inpainting.noise_map import ball_map
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.inpainting.sampling import FindingRequest
from vesalius.methods.inpainting.sites.site import FreeSites, MapBounds, MarkedCrop, Sites
from vesalius.methods.inpainting.training_pathologies import TrainingPathologies, TrainingPathology
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import Crop, voxel_of
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import Landmark

CONTEXT = 2.2
"""Sides of a crop, in reaches of the widest map."""
HOST_SHARE = 0.05
"""Of the training lesions, that a label must lie around to be a host that nobody named."""
ROOM_SHARE = 0.1
"""Of the training lesions, that lie nearer to their organ's border than one that is set in."""


@dataclass(frozen=True)
class MarkedLesion(Landmark):
    """A lesion of a training scan; `room` as `anatomy.lesions.Lesion` has it."""

    room: float = 1.0


class LesionSites(Sites):
    """The organs that lesions of a run may lie in.

    Landmarks are the lesions' own centres, sizes the diameters of balls of their volumes. Hosts are
    those that the recipe names, or whatever label lies around the training lesions.

    >>> recipe = InpaintingRecipe(lesions=("tumour=core+oedema",))
    >>> sites = LesionSites(recipe, {"background": 0, "liver": 1, "core": 2, "oedema": 3})
    >>> sites.values, [attribute.name for attribute in sites.attributes]
    ({'tumour': [2, 3]}, ['tumour_volume_ml'])
    """

    named_by = "host"

    def __init__(self, recipe: InpaintingRecipe, labels: Mapping[str, int]) -> None:
        super().__init__(recipe, labels)
        parts = {}
        for text in recipe.lesions:
            name, _, own = text.partition("=")
            parts[name] = tuple(own.split("+")) if own else (name,)
        _require_labels("--lesion", [one for own in parts.values() for one in own], labels)
        _require_labels("--host", recipe.hosts, labels)
        self.values = {name: [labels[one] for one in own] for name, own in parts.items()}
        named = recipe.hosts or [n for n, one in labels.items() if one and one not in self.every]
        self.hosts = [labels[name] for name in named]
        self.names = {number: name for name, number in labels.items()}
        self.attributes = tuple(
            Attribute(f"{name}_volume_ml", "volume_ml", own) for name, own in parts.items()
        )
        self.declared = self.attributes

    @property
    def every(self) -> list[int]:
        """Labels of all lesions."""
        return [one for own in self.values.values() for one in own]

    def reported(self, cohort: Cohort) -> tuple[dict[str, list[Landmark]], list[InputProblem]]:
        return {}, []

    def marks(
        self, scan: LabelledScan, case: str, reported: Sequence[Landmark]
    ) -> tuple[list[Landmark], list[InputProblem]]:
        kept: list[Landmark] = []
        faults = []
        affine = scan.label_map.oriented("RAS").affine
        for name, values in self.values.items():
            for lesion in find_lesions(scan.label_map, values, self.hosts):
                x, y, z = (float(v) for v in (affine @ [*lesion.centre, 1.0])[:3])
                if lesion.host == 0:
                    place = f"{case}: {name} at {x:.0f}, {y:.0f}, {z:.0f} mm"
                    fault = "lies in no host" if self.recipe.hosts else "lies in no labelled organ"
                    remedy = "label the organ around it, or name another --host"
                    faults.append(InputProblem(place, fault, remedy))
                else:
                    host = self.names[lesion.host]
                    mark = MarkedLesion(name, host, (x, y, z), lesion.diameter_mm, lesion.room)
                    kept.append(mark)
        return kept, faults

    def known(
        self, scan: LabelledScan, case: str, reported: Sequence[Landmark]
    ) -> Sequence[Landmark]:
        return self.marks(scan, case, reported)[0]

    def training_range(self, marks: Sequence[Landmark]) -> TrainingPathologies:
        hosts = self.recipe.hosts or _usual_hosts(marks)
        learnt = [mark for mark in marks if mark.level in hosts]
        rooms = [mark.room for mark in learnt if isinstance(mark, MarkedLesion)]
        room = float(np.quantile(rooms, ROOM_SHARE)) if rooms else 0.0
        return TrainingPathologies.of(learnt, hosts, self.recipe.fewest, "ball", room)

    def crops(
        self, row: int, scan: LabelledScan, marks: Sequence[Landmark],
        reported: Sequence[Landmark], training_range: TrainingPathologies,
    ) -> list[MarkedCrop]:  # fmt: skip
        """About all lesions, and at one place of each host where there is none."""
        known = {p.name for p in training_range.pathologies}
        result = [
            MarkedCrop(
                row, voxel_of(scan, mark.point_mm), mark.level, mark, {mark.pathology: mark.size_mm}
            )
            for mark in marks
            if mark.pathology in known and mark.level in training_range.levels
        ]
        rng = np.random.default_rng([len(result), row])
        for host in training_range.levels:
            own = training_range.pathologies[int(rng.integers(len(training_range.pathologies)))]
            places = self._places(scan, host, own, own.size_at(float(rng.random())))
            if len(places):
                voxel = places[rng.integers(len(places))].astype(float)
                result.append(MarkedCrop(row, voxel, host, None, {}))
        return result

    def crop_mm(self, training_range: TrainingPathologies) -> tuple[float, float, float]:
        """Wide enough for the map of the largest lesion, with context about it."""
        largest = max(p.high for p in training_range.pathologies) / 2
        side = CONTEXT * (largest + self.recipe.margin_mm)
        return side, side, side

    def map_bounds(self, crop: MarkedCrop, training_range: TrainingPathologies) -> MapBounds:
        """About as wide as the edit that would set the lesion in, some narrower, some wider."""
        low = min(p.low for p in training_range.pathologies) / 2
        high = max(p.high for p in training_range.pathologies) / 2
        if crop.finding is not None:
            low = high = crop.finding.size_mm / 2
        margin = self.recipe.margin_mm
        return MapBounds((0.9 * low + 0.6 * margin, 1.5 * high + 1.2 * margin), ((0.9, 1.2),) * 2)

    def map_weight(
        self, crop: Crop, spacing_mm: tuple[float, float, float], known: TrainingPathology,
        request: FindingRequest,
    ) -> Tensor:  # fmt: skip
        return ball_map(crop, spacing_mm, request.size_mm / 2, self.recipe.margin_mm)

    def attribute(self, pathology: str, level: str) -> str:
        return f"{pathology}_diameter_mm"

    def measured(
        self, scan: LabelledScan, pathology: str, level: str, before: LabelledScan | None = None
    ) -> float:
        """Diameter of a ball of all that is new of the lesion's labels, however many its parts."""
        values = self.values[pathology]
        ml = volume_ml(scan.label_map, values)
        if before is not None:
            ml -= volume_ml(before.label_map, values)
        return diameter_mm(max(ml, 0.0))

    def _places(
        self, scan: LabelledScan, host: str, known: TrainingPathology, size_mm: float
    ) -> np.ndarray:
        radius = size_mm / 2
        apart = radius + self.recipe.margin_mm
        return free_places(scan.label_map, self.labels[host], self.every, radius, known.room, apart)

    def landmark(
        self, scan: LabelledScan, request: FindingRequest, known: TrainingPathology, seed: int
    ) -> np.ndarray:
        """Anywhere in the host where such a lesion has room, by the seed."""
        places = self._places(scan, request.level, known, request.size_mm)
        if not len(places):
            fault = f"has no room for {request.size_mm:.1f} mm beside its borders and lesions"
            raise InputError(request.level, fault, "ask for less, or for another host")
        chosen = np.random.default_rng(seed).integers(len(places))
        return places[chosen].astype(float)

    def site_of(
        self, scan: LabelledScan, request: FindingRequest, known: TrainingPathology,
        training_range: TrainingPathologies,
    ) -> str:  # fmt: skip
        """The organ at the point, or the first one that has room."""
        if request.point_mm is not None:
            voxel = voxel_of(scan, request.point_mm)
            self.require_inside(scan, request, "--at", voxel)
            return self._label_at(scan, voxel)
        for host in training_range.levels:
            if len(self._places(scan, host, known, request.size_mm)):
                return host
        fault = (
            f"has room for {request.size_mm:.1f} mm in none of {', '.join(training_range.levels)}"
        )
        raise InputError(request.pathology, fault, "ask for less, or for another scan")

    def focus(self, level: str) -> list[int]:
        return [*self.every, self.labels[level]]

    def _label_at(self, scan: LabelledScan, voxel: np.ndarray) -> str:
        x, y, z = np.round(voxel).astype(int)
        number = int(scan.label_map.oriented("RAS").voxels[x, y, z])
        return self.names.get(number, "background")

    def require_possible(
        self, scan: LabelledScan, request: FindingRequest, case: str,
        training_range: TrainingPathologies,
    ) -> None:  # fmt: skip
        voxel = self.voxel(scan, request, training_range.pathology(request.pathology))
        self.require_inside(scan, request, case, voxel)
        there = self._label_at(scan, voxel)
        if there != request.level:
            fault = f"lies in {there} and not in {request.level}"
            raise InputError("--at", fault, f"choose a point in {request.level}")

    def free(
        self, scan: LabelledScan, reported: Sequence[Landmark], training_range: TrainingPathologies
    ) -> FreeSites:
        """Hosts with room, each with the largest size that it has room for."""
        result: FreeSites = {}
        for host in training_range.levels:
            own = {}
            for known in training_range.pathologies:
                fit = [
                    size for size in np.linspace(known.low, known.high, 6)
                    if len(self._places(scan, host, known, float(size)))
                ]  # fmt: skip
                if fit:
                    own[known.name] = (known.low, float(fit[-1]))
            if own:
                result[host] = own
        return result


def _usual_hosts(marks: Sequence[Landmark]) -> tuple[str, ...]:
    """Labels around no few lesions; one at the border of two organs makes no host of the other.

    >>> marks = [Landmark("nodule", "lung", (0.0, 0.0, 0.0), 9.0)] * 40
    >>> _usual_hosts([*marks, Landmark("nodule", "vessel", (0.0, 0.0, 0.0), 9.0)])
    ('lung',)
    """
    counts = Counter(mark.level for mark in marks)
    return tuple(sorted(name for name, n in counts.items() if n >= HOST_SHARE * len(marks)))


def _require_labels(option: str, names: Sequence[str], labels: Mapping[str, int]) -> None:
    for name in names:
        if name not in labels or labels[name] == 0:
            known = ", ".join(own for own, number in labels.items() if number)
            raise InputError(option, f"names {name}, which is no label", f"name one of {known}")
