"""After the fits: every visit is projected, trajectories are kept, and neighbours are chosen."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.methods.progression.choosing import CHOICE, Choice, HeldOut, choose
from vesalius.methods.progression.evaluator import read_attributes
from vesalius.methods.progression.forecasting import folds_of, predict_changes, predicted_of
from vesalius.methods.progression.model import ProgressionModel
from vesalius.methods.progression.neighbours import METRICS, metric_of
from vesalius.methods.progression.projection import project
from vesalius.methods.progression.projection_loss import ProjectionLoss, attention_of
from vesalius.methods.progression.trajectories import (
    TRAJECTORIES,
    Baseline,
    Trajectories,
    trajectories_of,
)
from vesalius.networks.weights import write_tensors
from vesalius.scans.progress import Progress
from vesalius.scans.visits import Visits
from vesalius.scans.writing import make_folder, replacing, write_text
from vesalius.training.device import fabric_for
from vesalius.training.run import Run
from vesalius.training.visits_fingerprint import VisitsFingerprint

ATTENTION_PICTURES = 256
STYLES = "styles.npy"


def projection_loss_of(model: ProgressionModel, images: np.ndarray) -> ProjectionLoss:
    """What a projection keeps, from some real pictures `(N, C, S, S)` in [0, 1]."""
    attention = attention_of(model.evaluator, images[:ATTENTION_PICTURES])
    recipe = model.recipe
    return ProjectionLoss(model.evaluator, attention, recipe.inner, recipe.readings)


def follow(
    run: Run[VisitsFingerprint], model: ProgressionModel, training: Visits, held_out: Visits,
    progress: Progress,
) -> None:  # fmt: skip
    """Project all visits, keep the trajectories, and choose metric and K on held-out patients."""
    recipe, projection_loss = model.recipe, projection_loss_of(model, training.images)
    styles = training_styles(run, model, training.images, projection_loss, progress)
    trajectories = _trajectories(model, training, styles, recipe.all_visits)
    published = _trajectories(model, training, styles, all_visits=False)
    metrics = {name: metric_of(name, trajectories) for name in METRICS}
    rows = held_out.followed()
    first, last = (held_out.taken([own[end] for own in rows]) for end in (0, -1))
    requested = HeldOut(
        Baseline(
            _styles(model, first.images, projection_loss, progress),
            predict_changes(model.forecasters, first.images),
        ),
        last.years - first.years,
        read_attributes(model.meter, first.images), read_attributes(model.meter, last.images),
    )  # fmt: skip
    _note(run, choose(metrics, trajectories, requested, recipe.neighbours))
    arrays = {
        "styles": trajectories.baseline.styles, "predicted": trajectories.baseline.predicted,
        "annual_change": trajectories.annual_change, "years": trajectories.years,
        "published_annual_change": published.annual_change,
        "reading_annual_change": trajectories.reading_annual_change, "seen": trajectories.seen,
        "attention": projection_loss.attention.cpu().numpy(),
    }  # fmt: skip
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(array, np.float32))
        for name, array in arrays.items()
    }
    write_tensors(
        run.folder / TRAJECTORIES, tensors, {"patients": "\n".join(trajectories.patients)}
    )


def training_styles(
    run: Run[VisitsFingerprint], model: ProgressionModel, images: np.ndarray,
    projection_loss: ProjectionLoss, progress: Progress,
) -> np.ndarray:  # fmt: skip
    """Styles of the pictures that a run learns from `(N, W)`, found once for all of its parts."""
    kept = run.state / STYLES
    if kept.is_file():
        known: np.ndarray = np.load(kept)
        if known.shape == (len(images), model.recipe.generator.style):
            return known
    styles = _styles(model, images, projection_loss, progress)
    if fabric_for().is_global_zero:
        make_folder(run.state)
        with replacing(kept) as partial:
            np.save(partial, styles)
    return styles


def _styles(
    model: ProgressionModel, images: np.ndarray, projection_loss: ProjectionLoss, progress: Progress
) -> np.ndarray:  # fmt: skip
    recipe = model.recipe.refinement
    found = project(images, model.generator, projection_loss, recipe, model.encoder, progress)
    return found.styles


def _trajectories(
    model: ProgressionModel, visits: Visits, styles: np.ndarray, all_visits: bool
) -> Trajectories:
    readings = read_attributes(model.evaluator, visits.images)
    predicted = predicted_of(
        model.forecasters, visits, folds_of(visits.patients, model.recipe.folds)
    )
    return trajectories_of(
        visits.trajectories(),
        visits.patients,
        visits.years,
        styles,
        readings,
        predicted,
        all_visits,
    )


def _note(run: Run[VisitsFingerprint], choice: Choice) -> None:
    """Keep what was chosen and all that was tried."""
    scores = choice.scores
    run.note(CHOICE, {
        "metric": choice.metric, "neighbours": choice.neighbours,
        "score": scores[choice.metric, choice.neighbours],
        "score_of_no_change": scores["no_change", 0],
    })  # fmt: skip
    write_text(run.folder / f"{CHOICE}.csv", choice.table())
