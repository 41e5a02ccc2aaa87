"""After the fits: every visit is projected, trajectories are kept, and neighbours are chosen."""

from __future__ import annotations

import numpy as np
import torch

from vesalius.methods.progression.choosing import CHOICE, Choice, HeldOut, choose
from vesalius.methods.progression.courses import COURSES, Baseline, Courses, courses_of
from vesalius.methods.progression.forecasting import folds_of, foretell, foretold_of
from vesalius.methods.progression.likeness import Likeness, attention_of
from vesalius.methods.progression.model import ProgressionModel
from vesalius.methods.progression.neighbours import METRICS, metric_of
from vesalius.methods.progression.projection import Projected, project
from vesalius.methods.progression.reader import read_attributes
from vesalius.networks.weights import write_tensors
from vesalius.scans.progress import Progress
from vesalius.scans.visits import Visits
from vesalius.scans.writing import write_text
from vesalius.training.run import Run
from vesalius.training.visits_fingerprint import VisitsFingerprint

ATTENTION_PICTURES = 256


def likeness_of(model: ProgressionModel, images: np.ndarray) -> Likeness:
    """What a projection keeps, from some real pictures `(N, C, S, S)` in [0, 1]."""
    attention = attention_of(model.reader, images[:ATTENTION_PICTURES])
    recipe = model.recipe
    return Likeness(model.reader, attention, recipe.inner, recipe.readings)


def follow(
    run: Run[VisitsFingerprint], model: ProgressionModel, training: Visits, held_out: Visits,
    progress: Progress,
) -> None:  # fmt: skip
    """Project all visits, keep the courses, and choose metric and K on held-out patients."""
    recipe, likeness = model.recipe, likeness_of(model, training.images)

    def styles_of(visits: Visits) -> Projected:
        return project(
            visits.images, model.generator, likeness, recipe.refinement, model.encoder, progress
        )

    styles = styles_of(training).styles
    courses = _courses(model, training, styles, recipe.all_visits)
    published = _courses(model, training, styles, all_visits=False)
    metrics = {name: metric_of(name, courses) for name in METRICS}
    rows = held_out.followed()
    first, last = (held_out.taken([own[end] for own in rows]) for end in (0, -1))
    asked = HeldOut(
        Baseline(styles_of(first).styles, foretell(model.forecasters, first.images)),
        last.years - first.years,
        read_attributes(model.meter, first.images), read_attributes(model.meter, last.images),
    )  # fmt: skip
    _note(run, choose(metrics, courses, asked, recipe.neighbours))
    arrays = {
        "begun": courses.baseline.styles, "foretold": courses.baseline.foretold,
        "drift": courses.drift, "years": courses.years,
        "published_drift": published.drift,
        "reading_drift": courses.reading_drift, "seen": courses.seen,
        "attention": likeness.attention.cpu().numpy(),
    }  # fmt: skip
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(array, np.float32))
        for name, array in arrays.items()
    }
    write_tensors(run.folder / COURSES, tensors, {"patients": "\n".join(courses.patients)})


def _courses(
    model: ProgressionModel, visits: Visits, styles: np.ndarray, all_visits: bool
) -> Courses:
    readings = read_attributes(model.reader, visits.images)
    foretold = foretold_of(model.forecasters, visits, folds_of(visits.patients, model.recipe.folds))
    return courses_of(visits.courses(), visits.patients, visits.years, styles, readings, foretold,
                      all_visits)  # fmt: skip


def _note(run: Run[VisitsFingerprint], choice: Choice) -> None:
    """Keep what was chosen and all that was tried."""
    scores = choice.scores
    run.note(CHOICE, {
        "metric": choice.metric, "neighbours": choice.neighbours,
        "score": scores[choice.metric, choice.neighbours],
        "score_of_no_change": scores["no_change", 0],
    })  # fmt: skip
    write_text(run.folder / f"{CHOICE}.csv", choice.table())
