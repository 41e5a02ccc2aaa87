"""The order of a fit: read, find crops with and without findings, plan, fit each network."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vesalius.networks.voxelwise_denoiser import VoxelwiseDenoiser
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import cut
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.grid import Grid
from vesalius.scans.landmarks import Landmark, read_landmarks
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.spine import CANAL, levels_of
from vesalius.synthesis.inpainting.closed_loop import calibrate
from vesalius.synthesis.inpainting.marked_crops import (
    MarkedCrop,
    balanced_rows,
    marked_crops,
    measured_marks,
)
from vesalius.synthesis.inpainting.model import InpaintingModel
from vesalius.synthesis.inpainting.objectives import InpaintingObjective
from vesalius.synthesis.inpainting.planning import TRUNK, plan_inpainting
from vesalius.synthesis.inpainting.recipe import InpaintingRecipe, Network
from vesalius.synthesis.inpainting.seen import NOTE, SeenPathologies
from vesalius.training.device import fabric_for
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.loop import fit
from vesalius.training.plan import Plan
from vesalius.training.run import Run
from vesalius.training.store import CaseStore

FEWEST_CASES = 8
GRID_MULTIPLE = 4
"""Sides of a crop in the slice: halved once for the latent and once in the network."""


@dataclass(frozen=True)
class PreparedInpainting:
    """A cohort that was read and measured, and the plan of its fit. Nothing is written yet."""

    recipe: InpaintingRecipe
    fingerprint: Fingerprint
    seen: SeenPathologies
    plan: Plan
    cases: tuple[Case, ...]
    scans: tuple[LabelledScan, ...]
    crops: tuple[MarkedCrop, ...]


def prepare_inpainting(
    cohort: Cohort, recipe: InpaintingRecipe, progress: Progress = silent,
    faults: list[Fault] | None = None,
) -> PreparedInpainting:  # fmt: skip
    """Read the cohort and its `landmarks.csv`, take the fingerprint and plan the fit.

    Cases marked `val` or `test`, and synthetic ones, are not touched.

    Raises:
        Refused: for labels without discs and canal, too few cases or findings, a crop that
            leaves no context around the map, or a plan that does not fit this machine.
    """
    labels = cohort.description.labels
    levels = levels_of(labels)
    canal = any(name in labels for name in CANAL)
    if not levels or not canal:
        lacking = "canal" if levels else "disc_<level>"
        remedy = "name labels such as disc_L4-L5, canal, herniation"
        raise Refused(cohort.folder / "dataset.json", f"has no label {lacking}", remedy)
    reach = recipe.noise_map.reach_mm
    if recipe.noise_map.kind == "linear" and min(recipe.crop_mm[1:]) < 2.2 * reach:
        fault = f"of {recipe.crop_mm} mm leaves no context around a map of {reach:g} mm"
        raise Refused("crop_mm", fault, "choose a larger crop or a smaller map")
    training = [c for c in cohort.cases if c.split not in ("val", "test") and not c.synthetic]
    marks, wrong = read_landmarks(cohort.folder, {case.name: case for case in cohort.cases})
    sound, found = cohort.read_sound(training, progress)
    if faults is not None:
        faults += [*wrong, *found]
    if len(sound) < FEWEST_CASES:
        fault = f"has {len(sound)} sound training cases"
        raise Refused(cohort.folder, fault, f"add labelled scans: {FEWEST_CASES} is the least")
    cases, scans = [case for case, _ in sound], [scan for _, scan in sound]
    own: dict[str, list[Landmark]] = {}
    for case, scan in followed(sound, "measuring findings", len(sound), progress):
        own[case.name], wrong = measured_marks(scan, marks.get(case.name, ()), case.name, labels)
        if faults is not None:
            faults += wrong
    seen = SeenPathologies.of([m for case in cases for m in own[case.name]], levels, recipe.fewest)
    grid = _grid(scans, recipe)
    told = hashlib.sha256(repr(sorted(own.items())).encode()).hexdigest()
    fingerprint = Fingerprint.of(cohort, cases, scans, grid, (), told)
    crops = [
        crop
        for row, (case, scan) in enumerate(
            followed(sound, "finding places of findings", len(sound), progress)
        )
        for crop in marked_crops(row, scan, own[case.name], marks.get(case.name, ()), seen, labels)
    ]
    plan = plan_inpainting(recipe, fingerprint, seen, len(crops), _bytes(scans))
    plan.require_room()
    return PreparedInpainting(
        recipe, fingerprint, seen, plan, tuple(cases), tuple(scans), tuple(crops)
    )


def fit_inpainting(
    prepared: PreparedInpainting, out: str | Path, progress: Progress = silent
) -> Run:  # fmt: skip
    """Fit pathology inpainting, or go on with a fit that was killed.

    Raises:
        Refused: if the folder holds another run, or for a loss that is not finite.
    """
    recipe, fingerprint, seen = prepared.recipe, prepared.fingerprint, prepared.seen
    run = Run.create(out, recipe, fingerprint)
    run.note(NOTE, seen.model_dump())
    run.note("split", {"fitted": [case.name for case in prepared.cases]})
    placed = (
        cut(prepared.scans[crop.row], crop.voxel, fingerprint.grid).scan
        for crop in followed(prepared.crops, "cutting crops", len(prepared.crops), progress)
    )
    fabric = fabric_for(recipe.fit.precision)
    with fabric.rank_zero_first():
        store = CaseStore.write(run.state / "crops", fingerprint, len(prepared.crops), placed)
    model = InpaintingModel(recipe, fingerprint, seen)
    found = [crop.finding.pathology if crop.finding else None for crop in prepared.crops]
    conditions = torch.tensor(
        [
            seen.condition(pathology, crop.level, {crop.place: crop.size_mm})
            for pathology, crop in zip(found, prepared.crops, strict=True)
        ]
    )
    rows = balanced_rows(found, recipe.ill_share)

    def fit_part(part: str, name: Network, network: VoxelwiseDenoiser, steps: int) -> None:
        objective = InpaintingObjective(
            network, name, store, conditions, seen, rows, model.kinds, recipe,
            model.schedule, fingerprint.spacing_mm,
        )  # fmt: skip
        settings = recipe.fit.changed(steps=steps)
        fit(objective, len(rows), settings, recipe.seed, part, run.folder, fabric, progress)
        run.save(part, network)

    torch.manual_seed(recipe.seed)
    trunk = model.build("ordinary")
    shared = round(recipe.shared_steps * recipe.fit.steps)
    if run.has(TRUNK):
        run.load(TRUNK, trunk)
    elif not all(run.has(f"{name}_denoiser") for name in recipe.networks):
        fit_part(TRUNK, "ordinary", trunk, shared)
    for name in recipe.networks:
        if not run.has(f"{name}_denoiser"):
            network = model.build(name)
            network.begin_as(trunk)
            fit_part(f"{name}_denoiser", name, network, recipe.fit.steps - shared)
    if fabric.is_global_zero:
        (run.folder / f"{TRUNK}.safetensors").unlink(missing_ok=True)
    fabric.barrier()
    if not (run.folder / "calibration.json").is_file():
        calibrate(run, cohort_sample(prepared), progress=progress)
    run.write_card(_card(run, seen))
    if fabric.is_global_zero:
        run.finish()
    return run


def cohort_sample(prepared: PreparedInpainting, count: int = 10) -> list[tuple[Case, LabelledScan]]:
    """Some training cases without a finding, on which a fresh run is calibrated."""
    ill = {crop.row for crop in prepared.crops if crop.finding}
    well = [row for row in range(len(prepared.cases)) if row not in ill]
    rows = well[:count] or list(range(min(count, len(prepared.cases))))
    return [(prepared.cases[row], prepared.scans[row]) for row in rows]


def _bytes(scans: Sequence[LabelledScan]) -> float:
    return float(sum(v.voxels.nbytes for scan in scans for v in (*scan.channels, scan.label_map)))


def _grid(scans: Sequence[LabelledScan], recipe: InpaintingRecipe) -> Grid:
    """The crop at the cohort's spacing; sides in the slice can be halved twice."""
    oriented = [scan.label_map.oriented("RAS") for scan in scans]
    spacing = recipe.spacing_mm or tuple(
        float(x) for x in np.median([v.spacing_mm for v in oriented], axis=0)
    )
    x, y, z = (side / size for side, size in zip(recipe.crop_mm, spacing, strict=True))
    shape = (max(1, round(x)), *(GRID_MULTIPLE * max(1, round(n / GRID_MULTIPLE)) for n in (y, z)))
    affine = np.diag([*spacing, 1.0])
    return Grid(
        (shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]),
        tuple(tuple(float(x) for x in row) for row in affine), scans[0].label_map.orientation,
    )  # fmt: skip


def _card(run: Run, seen: SeenPathologies) -> list[str]:
    assert isinstance(run.recipe, InpaintingRecipe)
    print_ = run.fingerprint
    origin = "phantoms, no patients" if print_.origin == "phantom" else "the user's scans"
    findings = [
        f"- {p.name}: {sum(p.counts.values())} findings of {p.low:.1f} to {p.high:.1f} mm, "
        + ", ".join(f"{count} at {level}" for level, count in p.counts.items())
        for p in seen.pathologies
    ]
    return [
        f"# Run {run.name}: pathology inpainting", "",
        f"Fitted on {print_.cases} cases of {print_.subjects} subjects ({origin}), channels "
        f"{', '.join(print_.channels)}, crops of {print_.shape} voxels at {print_.spacing_mm} mm.",
        "", *findings, "",
        f"Networks: {', '.join(run.recipe.networks)}; preset {run.recipe.preset}, seed "
        f"{run.recipe.seed}.", "",
        "Scans edited by this run are synthetic. They must not be used for diagnosis, and belong "
        "to the subject whose scan was edited: keep them in the same split.",
    ]  # fmt: skip
