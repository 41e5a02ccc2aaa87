"""Lesions of any organ: connected parts of a label, in the organs that host them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from vesalius.anatomy.lesions import HostRoom, diameter_mm, find_lesions, new_parts_ml
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
from vesalius.scans.volume import Volume

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
            if not name or name in parts:
                raise InputError("--lesion", f"{text} names nothing new", "name each lesion once")
            parts[name] = tuple(own.split("+")) if own else (name,)
        named = [one for own in parts.values() for one in own]
        _require_labels("--lesion", named, labels)
        _require_labels("--host", recipe.hosts, labels)
        twice = next((one for one in named if named.count(one) > 1), None)
        if twice:
            raise InputError("--lesion", f"counts {twice} twice", "give each label to one lesion")
        within = next((one for one in recipe.hosts if one in named), None)
        if within:
            remedy = "name the organ, and the lesion's parts as name=label+label"
            raise InputError("--host", f"{within} is a lesion's label", remedy)
        self.values = {name: [labels[one] for one in own] for name, own in parts.items()}
        hosts = recipe.hosts or [n for n, one in labels.items() if one and one not in self.every]
        self.hosts = [labels[name] for name in hosts]
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
        rooms: dict[str, float] = {}
        learnt: list[Landmark] = []
        for name in self.values:
            own = [mark for mark in marks if mark.pathology == name]
            hosts = self.recipe.hosts or _usual_hosts(own)
            own = [mark for mark in own if mark.level in hosts]
            learnt += own
            near = [mark.room for mark in own if isinstance(mark, MarkedLesion)]
            rooms[name] = float(np.quantile(near, ROOM_SHARE)) if near else 0.0
        every = tuple(sorted({mark.level for mark in learnt}))
        return TrainingPathologies.of(learnt, every, self.recipe.fewest, "ball", rooms)

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
            if mark.pathology in known and mark.level in training_range.levels_of(mark.pathology)
        ]
        rng = np.random.default_rng([len(result), row])
        for host in training_range.levels:
            there = [p for p in training_range.pathologies if host in p.counts]
            if not there:
                continue
            own = there[int(rng.integers(len(there)))]
            places = self._places(scan, host, own, own.size_at(float(rng.random())))
            if len(places):
                voxel = places[rng.integers(len(places))].astype(float)
                result.append(MarkedCrop(row, voxel, host, None, {}))
        return result

    def crop_mm(self, training_range: TrainingPathologies) -> tuple[float, float, float]:
        """Wide enough for the map of the largest lesion, with context about it."""
        largest = max(p.high for p in training_range.pathologies) / 2
        side = 2 * largest + 3 * self.recipe.margin_mm
        return side, side, side

    def map_bounds(self, crop: MarkedCrop, training_range: TrainingPathologies) -> MapBounds:
        """About as wide as the edit that would set the lesion in, some narrower, some wider."""
        low = min(p.low for p in training_range.pathologies) / 2
        high = max(p.high for p in training_range.pathologies) / 2
        if crop.finding is not None:
            low = high = crop.finding.size_mm / 2
        margin = self.recipe.margin_mm
        widest = max(p.high for p in training_range.pathologies) / 2 + 1.25 * margin
        reach = (0.9 * low + 0.6 * margin, min(1.5 * high + 1.2 * margin, widest))
        return MapBounds(reach, ((0.9, 1.1),) * 2)

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
        """Diameter of a ball of the largest part that is new of the lesion's labels."""
        parts = self._new_parts(scan, pathology, before)
        return diameter_mm(parts[0]) if parts else 0.0

    def whole(self, scan: LabelledScan, pathology: str, before: LabelledScan | None = None) -> bool:
        """One lesion, and not several in its place."""
        return len(self._new_parts(scan, pathology, before)) == 1

    def _new_parts(
        self, scan: LabelledScan, pathology: str, before: LabelledScan | None
    ) -> list[float]:
        own = scan.label_map
        nothing = Volume(np.zeros_like(own.voxels), own.affine)
        source = nothing if before is None else before.label_map
        return new_parts_ml(source, own, self.values[pathology])

    def _room(self, scan: LabelledScan, host: str, largest_mm: float) -> HostRoom:
        apart = largest_mm / 2 + self.recipe.margin_mm
        return HostRoom(scan.label_map, self.labels[host], self.every, apart)

    def _distances(self, known: TrainingPathology, size_mm: float) -> tuple[float, float]:
        """From the host's border, and from other lesions, in mm."""
        return known.room * size_mm / 2, size_mm / 2 + self.recipe.margin_mm

    def _places(
        self, scan: LabelledScan, host: str, known: TrainingPathology, size_mm: float
    ) -> np.ndarray:
        return self._room(scan, host, size_mm).places(*self._distances(known, size_mm))

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
        for host in known.counts:
            if len(self._places(scan, host, known, request.size_mm)):
                return host
        fault = f"has room for {request.size_mm:.1f} mm in none of {', '.join(known.counts)}"
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
        """Of a point that is asked for half the usual distance from the border is enough."""
        known = training_range.pathology(request.pathology)
        voxel = self.voxel(scan, request, known)
        self.require_inside(scan, request, case, voxel)
        there = self._label_at(scan, voxel)
        if there != request.level:
            fault = f"lies in {there} and not in {request.level}"
            raise InputError("--at", fault, f"choose a point in {request.level}")
        deep, apart = self._distances(known, request.size_mm)
        at = np.round(voxel).astype(int)
        room = self._room(scan, request.level, request.size_mm)
        if not room.holds(at, 0.5 * deep, apart):
            fault = f"has no room for {request.size_mm:.1f} mm beside its border and lesions"
            raise InputError("--at", fault, "choose a point deeper inside, or ask for less")

    def free(
        self, scan: LabelledScan, reported: Sequence[Landmark], training_range: TrainingPathologies
    ) -> FreeSites:
        """Hosts with room, each with the largest size that it has room for."""
        result: FreeSites = {}
        for host in training_range.levels:
            there = [p for p in training_range.pathologies if host in p.counts]
            if not there:
                continue
            room = self._room(scan, host, max(p.high for p in there))
            own = {}
            for known in there:
                fit = [
                    size for size in np.linspace(known.low, known.high, 6)
                    if len(room.places(*self._distances(known, float(size))))
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
