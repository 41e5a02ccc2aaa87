"""How a fitted run is calibrated: request against measurement, and the noise texture of images."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from vesalius.methods.guided.calibration import Calibration, scales_of, textures
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.sampling import GuidedSampler
from vesalius.sampling.rejection import case_requests, first_draws
from vesalius.scans.case import LabelledScan
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.training.requests import even_requests
from vesalius.training.run import Run


def calibrate(
    run: Run, scans: Sequence[LabelledScan], count: int = 40, progress: Progress = no_progress
) -> None:
    """Generate over the range of each attribute, measure, and write `calibration.json` of the run.

    Args:
        run: with all its weights.
        scans: some of those it was fitted on, for the noise texture of their images.
        count: label maps for each attribute.
        progress: called after each.
    """
    pipeline = GuidedPipeline(run, calibrated=False)
    curves = {}
    for attribute_range in run.fingerprint.attributes:
        low = max(attribute_range.low, 0.02 * attribute_range.high)
        targets = even_requests({attribute_range.name: (low, attribute_range.high)}, count, 0)
        draws = first_draws(GuidedSampler(pipeline), case_requests(run, targets, 1), progress)
        pairs = [
            (d.requested[attribute_range.name], d.measured[attribute_range.name]) for d in draws
        ]
        requested, measured = np.array(pairs).T
        curves[attribute_range.name] = (requested, measured)
    noise_textures = []
    for index, scan in enumerate(track(scans, "matching noise texture", len(scans), progress)):
        placed = run.fingerprint.grid.place(scan)
        pictures = [
            placed.channels[0],
            *(pipeline.image(placed.label_map, index, scale).channels[0] for scale in (0.0, 1.0)),
        ]
        labels = placed.label_map.voxels
        noise_textures.append([
            textures(image.oriented("RAS").voxels, labels, run.fingerprint.label_numbers)
            for image in pictures
        ])  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a label that is thin in every case
        real, smooth, full = np.nanmedian(noise_textures, axis=0).tolist()
    scales = scales_of(list(zip(real, smooth, full, strict=True)))
    run.note("calibration", Calibration.of(curves, scales).model_dump())
