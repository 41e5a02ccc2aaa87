"""The closed loop: ask for findings, draw, measure what came out, and draw again what missed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import __version__
from vesalius.methods.inpainting.calibration import SizeCalibration
from vesalius.methods.inpainting.inpainter import Attempt, FindingRequest, Inpainter
from vesalius.methods.inpainting.methods import NETWORK_OF, Method
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.landmarks import Landmark, append_landmarks, sort_landmarks
from vesalius.scans.output import Made
from vesalius.scans.progress import Progress, followed, silent
from vesalius.training.run import Run

CALIBRATED_SEVERITIES = (0.2, 0.8)
CALIBRATED_GUIDANCE = (1.5, 2.5, 4.0)


@dataclass(frozen=True)
class Edited:
    """What inpainting wrote, every attempt it took, and the requests that were never met."""

    cohort: Cohort
    attempts: tuple[Attempt, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Order:
    """One case to be written: from which scan, with which finding.

    `known` are the landmarks that the scan has already; they stay with the edited one.
    """

    name: str
    parent: Case
    request: FindingRequest
    seed: int
    known: tuple[Landmark, ...] = ()


def write_inpainted(
    inpainter: Inpainter,
    source: Cohort | Mapping[str, LabelledScan],
    orders: Sequence[Order],
    out: str | Path,
    attributes: Sequence[str],
    tolerance_mm: float = 1.0,
    tries: int = 8,
    progress: Progress = silent,
    inputs: Sequence[Path] = (),
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
        inputs: beside run and source, what must not be touched.

    Raises:
        Refused: for a folder of other content, or if no request was met.
    """
    description = Description(
        inpainter.fingerprint.channels, inpainter.labels, origin="synthetic",
            )  # fmt: skip
    making: Made = {
        "command": "inpaint", "run": inpainter.run.name, "method": inpainter.method,
        "tolerance_mm": tolerance_mm, "tries": tries,
    }  # fmt: skip
    parents = [source.folder] if isinstance(source, Cohort) else []
    with inpainter.fabric.rank_zero_first():
        writer = CohortWriter(
            out, description, attributes, making, [inpainter.run.folder, *parents, *inputs]
        )
    for order in orders:
        writer.require_same_case(
            order.name, seed=order.seed, request=_told(order.request),
            parent_images=_digest(order.parent),
        )  # fmt: skip
    rank, world = inpainter.fabric.global_rank, inpainter.fabric.world_size
    mine = [order for order in orders[rank::world] if order.name not in writer.done]
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
            name: _value(name, made.draw.scan, order.parent, description) for name in attributes
        }  # fmt: skip
        provenance = {
            "synthetic": True, "method": "pathology inpainting", "vesalius": __version__,
            "run": inpainter.run.name, "seed": order.seed, "drawn_by": inpainter.method,
            "request": _told(request),
            "measured_mm": measured, "tolerance_mm": tolerance_mm, "tries": len(made.attempts),
            "missed_mm": [a.measured_mm for a in made.attempts[:-1]],
            "guidance": inpainter.guidance_for(request.pathology),
            "parent": order.parent.name, "parent_images": _digest(order.parent),
        }  # fmt: skip
        point = inpainter.landmark(scan, request)
        affine = scan.label_map.oriented("RAS").affine
        x, y, z = (float(c) for c in (affine @ [*point, 1.0])[:3])
        append_landmarks(
            writer.folder, order.name,
            [*order.known, Landmark(request.pathology, request.level, (x, y, z), measured)],
        )  # fmt: skip
        whole = all((i.voxels == np.round(i.voxels)).all() for i in made.draw.scan.channels)
        small = max(float(np.abs(i.voxels).max()) for i in made.draw.scan.channels) < 32000
        writer.add(
            order.name, made.draw.scan, order.parent.subject, values, order.parent.visit,
            order.parent.split, provenance, np.int16 if whole and small else np.float32,
        )  # fmt: skip
    inpainter.fabric.barrier()
    if not writer.written():
        first = f" ({faults[0]})" if faults else ""
        raise Refused(out, f"no request was met{first}", "ask for what the run has seen")
    sort_landmarks(writer.folder)
    return Edited(writer.finish(), tuple(attempts), tuple(faults))


def _digest(parent: Case) -> str:
    """A few digits of a parent's images, so that two patients of one name are told apart."""
    found = hashlib.sha256()
    for path in parent.images:
        if path.exists():
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _told(request: FindingRequest) -> dict[str, Any]:
    """A request as provenance keeps it."""
    return {"pathology": request.pathology, "level": request.level, "size_mm": request.size_mm}


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
    inpainters = {
        scale: Inpainter(run, method, guidance=scale, calibrated=False)
        for scale in CALIBRATED_GUIDANCE
    }
    drawn: dict[tuple[str, float], list[tuple[tuple[float, float], tuple[float, float]]]] = {}
    seen = next(iter(inpainters.values())).seen
    work = [
        (pathology, scale, row, scan)
        for pathology in seen.pathologies
        for scale in inpainters
        for row, (_, scan) in enumerate(sample)
    ]
    for known, scale, row, scan in followed(work, "calibrating sizes", len(work), progress):
        inpainter, level = inpainters[scale], seen.levels[row % len(seen.levels)]
        pair = []
        for severity in CALIBRATED_SEVERITIES:
            request = FindingRequest(known.name, level, known.size_at(severity))
            try:
                inpainter.require_possible(scan, request, "")
            except Refused:
                continue
            result = inpainter.once(scan, request, row).scan
            pair.append((request.size_mm, inpainter.measured(result, known.name, level)))
        if len(pair) == 2:
            drawn.setdefault((known.name, scale), []).append((pair[0], pair[1]))
    run.note("calibration", SizeCalibration.of(drawn).model_dump())


def _value(name: str, scan: LabelledScan, parent: Case, description: Description) -> float:
    """An attribute of an edited scan: measured where labels tell it, else that of the parent."""
    try:
        return description.attribute(name).of(scan.label_map, description.labels)
    except Refused:
        return parent.attributes.get(name, float("nan"))
