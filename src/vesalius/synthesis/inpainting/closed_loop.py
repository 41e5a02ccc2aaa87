"""The closed loop: ask for a finding, draw it, measure what came out, and draw again what missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vesalius import __version__
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort, CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.landmarks import Landmark, append_landmarks, sort_landmarks
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.spine import CANAL, PATHOLOGIES, landmark_voxel
from vesalius.synthesis.inpainting.calibration import SizeCalibration
from vesalius.synthesis.inpainting.crops import Crop, cut, latent_of, voxel_of
from vesalius.synthesis.inpainting.editing import EditMap, edit_map, edited
from vesalius.synthesis.inpainting.methods import NETWORK_OF, Method, draw
from vesalius.synthesis.inpainting.model import InpaintingModel
from vesalius.synthesis.inpainting.recipe import InpaintingRecipe
from vesalius.training.device import fabric_for
from vesalius.training.run import Run

LEAST_HERNIATION_MM = 2.0
LEAST_NARROWING_MM = 1.0


@dataclass(frozen=True)
class FindingRequest:
    """A finding asked for: what, where, and how large in mm; `point_mm` overrides the usual place."""

    pathology: str
    level: str
    size_mm: float
    point_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Attempt:
    """One draw: what was measured at the level, and whether it was taken."""

    case: str
    attempt: int
    request: FindingRequest
    measured_mm: float
    accepted: bool


@dataclass(frozen=True)
class Inpainted:
    """An edited scan with its crop and map, and every attempt it took."""

    scan: LabelledScan
    crop: Crop
    edit: EditMap
    attempts: tuple[Attempt, ...]
    network_calls: int

    @property
    def accepted(self) -> bool:
        """Whether the last attempt met the request."""
        return self.attempts[-1].accepted


class Inpainter:
    """A finished run, ready to set findings into scans.

    Args:
        run: of `fit_inpainting`.
        method: of drawing.
        calls: network calls of a draw, the recipe's if `None`.
        guidance: scale of guidance, the recipe's if `None`.
        calibrated: correct requests by what the run was seen to overshoot.
    """

    def __init__(
        self, run: Run, method: Method = "voxelwise_trained", calls: int | None = None,
        guidance: float | None = None, calibrated: bool = True,
    ) -> None:  # fmt: skip
        self.run, self.method, self.calls, self.guidance = run, method, calls, guidance
        assert isinstance(run.recipe, InpaintingRecipe)
        self.recipe: InpaintingRecipe = run.recipe
        if NETWORK_OF[method] not in self.recipe.networks:
            fault = f"needs the {NETWORK_OF[method]} network, which this run has not"
            raise Refused(method, fault, "fit a run with it")
        self.fabric = fabric_for(self.recipe.fit.precision)
        self.model = InpaintingModel.load(run).to(self.fabric.device)
        self.seen, self.fingerprint = self.model.seen, run.fingerprint
        self.calibration = SizeCalibration.read(run.folder) if calibrated else SizeCalibration()
        self.labels = self.fingerprint.labels

    def measured(self, scan: LabelledScan, pathology: str, level: str) -> float:
        """Size in mm of a pathology at a level of a scan, on its label map."""
        name = PATHOLOGIES[pathology].attribute(level)
        return self._description.attribute(name).of(scan.label_map, self.labels)

    @property
    def _description(self) -> Description:
        return Description(self.fingerprint.channels, self.labels)

    def require_possible(self, scan: LabelledScan, request: FindingRequest, case: str) -> None:
        """Refuse a finding that this scan cannot take, with the reason."""
        seen = self.seen.pathology(request.pathology)
        self.seen.require_level(request.level)
        if not seen.low - 0.5 <= request.size_mm <= seen.high + 0.5:
            fault = f"{request.size_mm:.3g} mm is outside what the run has seen"
            remedy = f"ask for {seen.low:.3g} to {seen.high:.3g} mm"
            raise Refused(request.pathology, fault, remedy)
        self._require_grid(scan, case)
        disc = self.labels[f"disc_{request.level}"]
        if not (scan.label_map.voxels == disc).any():
            raise Refused(case, f"shows no disc {request.level}", "choose a level that it shows")
        if "herniation" in self.seen_names:
            depth = self.measured(scan, "herniation", request.level)
            if depth >= LEAST_HERNIATION_MM:
                fault = f"has a herniation of {depth:.1f} mm at {request.level} already"
                raise Refused(case, fault, "choose a healthy level")
        canal = self.measured(scan, "stenosis", request.level)
        if canal <= 0:
            raise Refused(case, f"shows no canal at {request.level}", "choose another level")
        if "stenosis" in self.seen_names and canal <= self.seen.pathology("stenosis").size_at(0.1):
            fault = f"has a canal of only {canal:.1f} mm at {request.level} already"
            raise Refused(case, fault, "choose a healthy level")
        if request.pathology == "stenosis" and canal - request.size_mm < LEAST_NARROWING_MM:
            fault = f"has a canal of {canal:.1f} mm at {request.level}"
            raise Refused(case, fault, f"ask for less than {canal - LEAST_NARROWING_MM:.1f} mm")
        voxel = self.landmark(scan, request)
        shape = np.array(scan.label_map.oriented("RAS").shape)
        if (voxel < 0).any() or (voxel > shape - 1).any():
            point = ", ".join(f"{x:g}" for x in request.point_mm or ())
            raise Refused(case, f"does not hold the point {point} mm", "choose one inside it")
        if request.point_mm is not None:
            usual = self.landmark(scan, FindingRequest(request.pathology, request.level, 0.0))
            size = np.array(scan.label_map.oriented("RAS").spacing_mm)
            apart = float(np.linalg.norm((voxel - usual) * size))
            if apart > 20:
                fault = f"lies {apart:.0f} mm from the disc {request.level}"
                raise Refused("--at", fault, "choose a point at the disc's back edge or the canal")

    @property
    def seen_names(self) -> set[str]:
        """Pathologies that the run knows."""
        return {seen.name for seen in self.seen.pathologies}

    def landmark(self, scan: LabelledScan, request: FindingRequest) -> np.ndarray:
        """The voxel of the RAS-oriented scan where the finding goes."""
        if request.point_mm is not None:
            return voxel_of(scan, request.point_mm)
        canal = [self.labels[name] for name in CANAL if name in self.labels]
        disc = self.labels[f"disc_{request.level}"]
        voxel = landmark_voxel(scan.label_map, disc, canal, request.pathology)
        if voxel is None:
            raise Refused(request.level, "has no disc beside a canal", "choose another level")
        return voxel

    def once(
        self, scan: LabelledScan, request: FindingRequest, seed: int
    ) -> tuple[LabelledScan, Crop, EditMap, int]:
        """One draw without measuring: edited scan, its crop and map, and the network calls."""
        seen = self.seen.pathology(request.pathology)
        crop = cut(scan, self.landmark(scan, request), self.fingerprint.grid)
        edit = edit_map(self.recipe.noise_map, crop, self.fingerprint.spacing_mm,
                        seen.severity_of(request.size_mm))  # fmt: skip
        source = latent_of([crop], self.fingerprint, self.model.kinds)
        asked = self.calibration.condition(request.pathology, request.size_mm)
        told = torch.tensor([self.seen.condition(request.pathology, request.level, asked)])
        drawn, calls = draw(self.model, self.method, source, edit.latent, told, seed, self.calls,
                            self.guidance)  # fmt: skip
        result = edited(scan, crop, drawn, edit.blend, self.fingerprint, self.model.kinds)
        return result, crop, edit, calls

    def until_met(
        self, scan: LabelledScan, request: FindingRequest, seed: int, case: str = "",
        tolerance_mm: float = 1.0, tries: int = 8,
    ) -> Inpainted:  # fmt: skip
        """Draw until the measured size is within tolerance; the nearest draw if none is."""
        attempts: list[Attempt] = []
        best: tuple[float, LabelledScan, Crop, EditMap] | None = None
        total = 0
        for attempt in range(tries):
            own = int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0])
            result, crop, edit, calls = self.once(scan, request, own)
            total += calls
            measured = self.measured(result, request.pathology, request.level)
            miss = abs(measured - request.size_mm)
            attempts.append(Attempt(case, attempt, request, measured, miss <= tolerance_mm))
            if best is None or miss < best[0]:
                best = (miss, result, crop, edit)
            if miss <= tolerance_mm:
                break
        assert best is not None
        return Inpainted(best[1], best[2], best[3], tuple(attempts), total)

    def _require_grid(self, scan: LabelledScan, case: str) -> None:
        here = np.array(scan.label_map.oriented("RAS").spacing_mm)
        there = np.array(self.fingerprint.spacing_mm)
        if ((here / there > 1.6) | (there / here > 1.6)).any():
            shown = " × ".join(f"{x:.3g}" for x in here)
            fault = f"has voxels of {shown} mm"
            wanted = " × ".join(f"{x:.3g}" for x in there)
            raise Refused(case, fault, f"fit a run on such scans; this one was on {wanted} mm")
        for name, image, low, high in zip(
            self.fingerprint.channels, scan.channels, self.fingerprint.intensity_low,
            self.fingerprint.intensity_high, strict=True,
        ):  # fmt: skip
            bottom, top = np.percentile(image.voxels, [0.5, 99.5])
            if not 0.4 <= (top - bottom) / max(high - low, 1e-6) <= 2.5:
                fault = f"{name} reaches from {bottom:g} to {top:g}, in the run {low:g} to {high:g}"
                raise Refused(case, fault, "rescale it, or fit a run on such scans")


@dataclass(frozen=True)
class Edited:
    """What inpainting wrote, every attempt it took, and the requests that were never met."""

    cohort: Cohort
    attempts: tuple[Attempt, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Order:
    """One case to be written: from which scan, with which finding."""

    name: str
    parent: Case
    request: FindingRequest
    seed: int


def write_inpainted(
    inpainter: Inpainter,
    source: Cohort | Mapping[str, LabelledScan],
    orders: Sequence[Order],
    out: str | Path,
    attributes: Sequence[str],
    tolerance_mm: float = 1.0,
    tries: int = 8,
    progress: Progress = silent,
) -> Edited:
    """Carry out orders and write the edited scans as a cohort with `landmarks.csv`.

    Each case keeps the subject and the split of the scan it was made from, so that no split by
    subject ever parts them.

    Args:
        inpainter: of a run.
        source: cohort of the parents, or scans by name of the parent.
        orders: what to make.
        out: folder of the cohort; one that a killed process left is completed.
        attributes: columns of `cases.csv`, each measured again on what came out where it can be,
            otherwise taken from the parent.
        tolerance_mm: largest error of the measured size.
        tries: draws for one order before it is given up and listed.
        progress: told after each case.
    """
    description = Description(
        inpainter.fingerprint.channels, inpainter.labels, origin="synthetic",
        attributes=tuple(),
    )  # fmt: skip
    writer = CohortWriter(out, description, attributes)
    rank, world = inpainter.fabric.global_rank, inpainter.fabric.world_size
    mine = [order for order in orders if order.name not in writer.done][rank::world]
    attempts: list[Attempt] = []
    faults: list[Fault] = []
    for order in followed(mine, "setting findings", len(mine), progress):
        request = order.request
        try:
            scan = (
                source.read(order.parent)
                if isinstance(source, Cohort)
                else source[order.parent.name]
            )
            inpainter.require_possible(scan, request, order.parent.name)
        except Refused as refusal:
            faults.append(refusal.fault)
            continue
        made = inpainter.until_met(scan, request, order.seed, order.name, tolerance_mm, tries)
        attempts += made.attempts
        measured = made.attempts[-1].measured_mm
        if not made.accepted:
            wanted = f"{request.pathology} of {request.size_mm:.3g} mm at {request.level}"
            remedy = "widen --tolerance, raise --tries or fit longer"
            faults.append(Fault(order.name, f"missed {wanted} {tries} times", remedy))
            continue
        values = {
            name: _value(name, made.scan, order.parent, description) for name in attributes
        }  # fmt: skip
        provenance = {
            "synthetic": True, "method": "pathology inpainting", "vesalius": __version__,
            "run": inpainter.run.name, "seed": order.seed, "drawn_by": inpainter.method,
            "request": {"pathology": request.pathology, "level": request.level,
                        "size_mm": request.size_mm},
            "measured_mm": measured, "tolerance_mm": tolerance_mm, "tries": len(made.attempts),
            "missed_mm": [a.measured_mm for a in made.attempts[:-1]],
            "guidance": inpainter.guidance or inpainter.recipe.guidance,
            "parent": order.parent.name,
        }  # fmt: skip
        point = inpainter.landmark(scan, request)
        affine = scan.label_map.oriented("RAS").affine
        x, y, z = (float(c) for c in (affine @ [*point, 1.0])[:3])
        append_landmarks(
            writer.folder, order.name,
            [Landmark(request.pathology, request.level, (x, y, z), measured)],
        )  # fmt: skip
        whole = all((i.voxels == np.round(i.voxels)).all() for i in made.scan.channels)
        small = max(float(np.abs(i.voxels).max()) for i in made.scan.channels) < 32000
        writer.add(
            order.name, made.scan, order.parent.subject, values, order.parent.visit,
            order.parent.split, provenance, np.int16 if whole and small else np.float32,
        )  # fmt: skip
    inpainter.fabric.barrier()
    if not writer.done:
        first = f" ({faults[0]})" if faults else ""
        raise Refused(out, f"no request was met{first}", "ask for what the run has seen")
    sort_landmarks(writer.folder)
    return Edited(writer.finish(), tuple(attempts), tuple(faults))


def balancing_orders(
    cohort: Cohort, marks: Mapping[str, Sequence[Landmark]], inpainter: Inpainter,
    count: int | None, seed: int, progress: Progress = silent,
) -> list[Order]:  # fmt: skip
    """Orders that fill each cell of pathology × level up to the fullest, from healthy levels.

    Donors are the real cases that are no `val` or `test`; each cell takes them in turn by chance,
    sizes evenly over what was seen.

    Args:
        cohort: to be balanced.
        marks: its landmarks by case.
        inpainter: that will carry out the orders.
        count: at most so many, spread evenly over the cells.
        seed: of the choice.
    """
    chance = np.random.default_rng(seed)
    donors = [c for c in cohort.cases if c.split not in ("val", "test") and not c.synthetic]
    names = {case.name for case in donors}
    seen = inpainter.seen
    cells = {(p.name, level): 0 for p in seen.pathologies for level in seen.levels}
    for name, own in marks.items():
        for mark in own:
            if name in names and (mark.pathology, mark.level) in cells:
                cells[mark.pathology, mark.level] += 1
    fullest = max(cells.values())
    wanted = {cell: fullest - present for cell, present in cells.items()}
    if count is not None:
        total = max(cells.values()) + max(0, count - sum(wanted.values())) // len(cells) + 1
        wanted = {cell: max(0, total - present) for cell, present in cells.items()}
        wanted = _at_most(wanted, count)
    free = _healthy_levels(cohort, donors, inpainter, progress)
    orders = []
    for (pathology, level), number in wanted.items():
        able = [case for case in donors if level in free[case.name]]
        if not able or not number:
            continue
        picked = chance.permutation(len(able))
        sizes = (np.arange(number) + chance.random(number)) / number
        for index, severity in enumerate(sizes):
            parent = able[picked[index % len(able)]]
            size = seen.pathology(pathology).size_at(float(severity))
            if pathology == "stenosis":
                size = min(size, free[parent.name][level] - 1.5 * LEAST_NARROWING_MM)
            name = f"{parent.name}_{pathology}_{level}_{index:03d}"
            orders.append(
                Order(name, parent, FindingRequest(pathology, level, size),
                      int(chance.integers(2**31)))
            )  # fmt: skip
    return orders


def calibrate(
    run: Run, sample: Sequence[tuple[Case, LabelledScan]], progress: Progress = silent
) -> None:
    """Set findings of all sizes into healthy training cases, measure, and keep the curves."""
    recipe = run.recipe
    assert isinstance(recipe, InpaintingRecipe)
    method: Method = "voxelwise_trained" if "voxelwise" in recipe.networks else "voxelwise_free"
    if NETWORK_OF[method] not in recipe.networks:
        run.note("calibration", SizeCalibration().model_dump())
        return
    inpainter = Inpainter(run, method, calibrated=False)
    drawn: dict[str, list[tuple[float, float]]] = {}
    work = [(p, row, scan) for p in inpainter.seen.pathologies for row, (_, scan) in
            enumerate(sample)]  # fmt: skip
    for seen, row, scan in followed(work, "calibrating sizes", len(work), progress):
        level = inpainter.seen.levels[row % len(inpainter.seen.levels)]
        size = seen.size_at((row + 0.5) / len(sample))
        request = FindingRequest(seen.name, level, size)
        try:
            inpainter.require_possible(scan, request, "")
        except Refused:
            continue
        result, *_ = inpainter.once(scan, request, row)
        pairs = drawn.setdefault(seen.name, [])
        pairs.append((size, inpainter.measured(result, seen.name, level)))
    run.note("calibration", SizeCalibration.of(drawn).model_dump())


def _healthy_levels(
    cohort: Cohort, donors: Sequence[Case], inpainter: Inpainter, progress: Progress
) -> dict[str, dict[str, float]]:
    """For each donor its levels without a finding, with the diameter of the canal there."""
    found: dict[str, dict[str, float]] = {}
    for case in followed(donors, "looking for healthy levels", len(donors), progress):
        try:
            scan = cohort.read(case)
        except Refused:
            found[case.name] = {}
            continue
        levels = {}
        for level in inpainter.seen.levels:
            request = FindingRequest(
                "herniation" if "herniation" in inpainter.seen_names else "stenosis", level,
                inpainter.seen.pathologies[0].size_at(0.5),
            )  # fmt: skip
            try:
                inpainter.require_possible(scan, request, case.name)
            except Refused:
                continue
            levels[level] = inpainter.measured(scan, "stenosis", level)
        found[case.name] = levels
    return found


def _at_most(wanted: Mapping[tuple[str, str], int], count: int) -> dict[tuple[str, str], int]:
    """Numbers cut down evenly to a total of `count`.

    >>> _at_most({("a", "x"): 9, ("a", "y"): 1}, 4)
    {('a', 'x'): 3, ('a', 'y'): 1}
    """
    kept = dict.fromkeys(wanted, 0)
    while sum(kept.values()) < count:
        open_ = [cell for cell in wanted if kept[cell] < wanted[cell]]
        if not open_:
            break
        for cell in open_[: count - sum(kept.values())]:
            kept[cell] += 1
    return kept


def _value(name: str, scan: LabelledScan, parent: Case, description: Description) -> float:
    """An attribute of an edited scan: measured where labels tell it, else that of the parent."""
    try:
        return description.attribute(name).of(scan.label_map, description.labels)
    except Refused:
        return parent.attributes.get(name, float("nan"))
