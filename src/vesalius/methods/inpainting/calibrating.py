"""How a fitted run is calibrated: findings of all sizes are set in and measured."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.methods.inpainting.calibration import SizeCalibration
from vesalius.methods.inpainting.methods import NETWORK_OF, Method
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.inpainting.sampling import FindingRequest
from vesalius.methods.inpainting.training_pathologies import TrainingPathology
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.training.run import Run

CALIBRATED_SEVERITIES = (0.2, 0.8)
CALIBRATED_GUIDANCE = (1.5, 2.5, 4.0)


def calibrate(
    run: Run, sample: Sequence[tuple[Case, LabelledScan]], progress: Progress = no_progress
) -> None:
    """Set findings of all sizes into healthy training cases, measure, and keep the curves."""
    recipe = run.recipe
    assert isinstance(recipe, InpaintingRecipe)
    method: Method = "voxelwise_trained" if "voxelwise" in recipe.networks else "voxelwise_free"
    if NETWORK_OF[method] not in recipe.networks:
        run.note("calibration", SizeCalibration().model_dump())
        return
    pipelines = {
        scale: InpaintingPipeline(run, method, guidance=scale, calibrated=False)
        for scale in CALIBRATED_GUIDANCE
    }
    pairs: dict[tuple[str, float], list[tuple[tuple[float, float], tuple[float, float]]]] = {}
    training_range = next(iter(pipelines.values())).training_range
    work = [
        (pathology, scale, row, scan)
        for pathology in training_range.pathologies
        for scale in pipelines
        for row, (_, scan) in enumerate(sample)
    ]
    for known, scale, row, scan in track(work, "calibrating sizes", len(work), progress):
        levels = training_range.levels_of(known.name)
        pipeline, level = pipelines[scale], levels[row % len(levels)]
        place = _place(pipeline, scan, known, level, row)
        pair = []
        for severity in CALIBRATED_SEVERITIES:
            request = FindingRequest(known.name, level, known.size_at(severity), place)
            try:
                pipeline.require_possible(scan, request, "")
            except InputError:
                continue
            result = pipeline.edit(scan, request, row).scan
            pair.append((request.size_mm, pipeline.measured(result, known.name, level, scan)))
        if len(pair) == 2:
            pairs.setdefault((known.name, scale), []).append((pair[0], pair[1]))
    run.note("calibration", SizeCalibration.of(pairs).model_dump())


def _place(
    pipeline: InpaintingPipeline, scan: LabelledScan, known: TrainingPathology, level: str, row: int
) -> tuple[float, float, float] | None:
    """One place for both sizes of a pair, in which nothing else may differ."""
    largest = known.size_at(max(CALIBRATED_SEVERITIES))
    try:
        return pipeline.placed(scan, FindingRequest(known.name, level, largest), row).point_mm
    except InputError:
        return None
