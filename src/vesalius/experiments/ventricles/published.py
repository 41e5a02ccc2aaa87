"""Guidance as it was published: a convolutional label VAE and a denoiser of its codes.

A space of shapes follows a request closely without guidance, so that guidance has nothing to do
there. Here label maps come from what Ruschke et al. 2024 (arXiv 2411.01351) describe, learnt from
as many label maps as it needs, and each scale of guidance is asked for the same volumes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vesalius.evidence.control import control_figures
from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import bootstrapped
from vesalius.experiments.ventricles.recipe import VentriclesRecipe
from vesalius.methods.guided.method import Guided
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.sampling import GuidedSampler
from vesalius.phantoms.brain import ATTRIBUTE
from vesalius.phantoms.cohorts.organs import write_brains
from vesalius.sampling.rejection import case_requests, first_draws
from vesalius.scans.computing import chosen_workers
from vesalius.scans.progress import Progress
from vesalius.training.fit import fit, prepare
from vesalius.training.method import Reading
from vesalius.training.requests import even_requests


def published_guidance(
    folder: Path, recipe: VentriclesRecipe, progress: Progress
) -> dict[str, Figure]:
    """Fit on label maps of a cohort of its own, and draw once for each request at each scale.

    Args:
        folder: of the stage; the cohort and the run appear in it.
        recipe: of the experiment.
        progress: called after each case and step.

    Returns:
        by scale slope, R² and error of first draws, and how far they scatter about their own line;
        the scatter at the largest scale over that at the smallest.
    """
    cohort = write_brains(
        folder / "real", recipe.published_cases, recipe.seed + 5, recipe.spacing_mm,
        recipe.wanted_ml, workers=chosen_workers(recipe.workers), progress=progress,
    )  # fmt: skip
    run = fit(
        prepare(Guided(), cohort, recipe.published, Reading(progress)), folder / "run", progress
    )
    targets = even_requests({ATTRIBUTE: recipe.wanted_ml}, recipe.control_cases, recipe.seed)
    requests = case_requests(run, targets, recipe.seed)
    requested = np.array([target[ATTRIBUTE] for target in targets])
    result: dict[str, Figure] = {}
    measured: list[np.ndarray] = []
    for scale in recipe.guidance_scales:
        sampler = GuidedSampler(GuidedPipeline(run, scale, calibrated=False))
        draws = first_draws(sampler, requests, progress)
        measured.append(np.array([draw.measured[ATTRIBUTE] for draw in draws]))
        front = f"published/guidance_{scale:g}"
        own = control_figures(requested, measured[-1], "mL")
        result |= {f"{front}/{name}": figure for name, figure in own.items()}
        result[f"{front}/scatter_ml"] = bootstrapped(
            [requested, measured[-1]], scatter, "mL", "requests"
        )
    if len(measured) > 1:
        result["published/scatter_ratio"] = bootstrapped(
            [requested, measured[0], measured[-1]],
            lambda x, first, last: scatter(x, last) / scatter(x, first), "", "requests",
        )  # fmt: skip
    return result


def scatter(requested: Sequence[float] | np.ndarray, measured: np.ndarray) -> float:
    """SD of measured values about their own straight line, in their unit.

    >>> round(scatter([1.0, 2.0, 3.0, 4.0], np.array([2.0, 4.0, 6.0, 8.0])), 6)
    0.0
    """
    if np.ptp(requested) == 0:
        return float("nan")
    line = np.polyval(np.polyfit(requested, measured, 1), requested)
    return float(np.std(measured - line, ddof=2))
