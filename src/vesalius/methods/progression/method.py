"""Progression as a method: visits, and the networks that generate, read and forecast pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel

from vesalius.methods.classification.recipe import ClassificationRecipe
from vesalius.methods.classification.training import PRESETS as TRAININGS
from vesalius.methods.progression.choosing import CHOICE
from vesalius.methods.progression.fitting import ProgressionData, ProgressionParts
from vesalius.methods.progression.following import follow
from vesalius.methods.progression.model import ProgressionModel
from vesalius.methods.progression.prognosis import (
    GRADES,
    ProgressionPipeline,
    both_sides,
    calibrate_risk,
    grades_known,
    prepare_grader,
)
from vesalius.methods.progression.recipe import PRESETS, ProgressionRecipe
from vesalius.methods.progression.trajectories import TRAJECTORIES
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.scans.visit_layouts import GRADE, read_visits
from vesalius.scans.visits import Visits
from vesalius.training.device import placed
from vesalius.training.fit import fit
from vesalius.training.method import Method, Part, Reading
from vesalius.training.run import Run
from vesalius.training.visits_fingerprint import VisitsFingerprint

FEWEST_FOLLOWED, FEWEST_KNOWN = 12, 16


class _Chosen(BaseModel):
    metric: str
    neighbours: int
    score: float
    score_of_no_change: float


class Progression(Method[ProgressionData]):
    """Fit progression: what will a patient's picture look like, and how fast does disease go?"""

    name, title = "progression", "progression"
    settings, measured = ProgressionRecipe, VisitsFingerprint
    caution = (
        "Not for diagnosis. A generated future is one trajectory among those of similar patients, "
        "not what will be."
    )

    def recipe(
        self, *, preset: Literal["smallest", "demo", "published"] = "demo",
        attribute: Sequence[str] | None = None, seed: int = 0,
    ) -> ProgressionRecipe:  # fmt: skip
        """Settings of a run.

        Parameters
        ----------
        preset: str
            Sizes and steps: demo for CPU minutes at 64 pixels, published for GPUs at 256.
        attribute: list[str]
            Read off pictures and kept by projections; without it medial and lateral joint space,
            or kl_grade where only that is known. May be repeated.
        seed: int
            Of the fit.
        """
        base = PRESETS[preset].changed(seed=seed)
        return base.changed(attributes=tuple(attribute or base.attributes))

    def read(
        self, source: str | Path | Visits, recipe: ProgressionRecipe, reading: Reading
    ) -> ProgressionData:
        """Read visits; those of split `test` are not touched.

        A cohort whose cases.csv has subject, visit and years (and left, 1 for a left side), or a
        folder of OAI or MOST crops by their published names, of which grades alone are known. The
        classifier of grades lies in grades/ of the run, where kl_grade is known.

        Raises:
            InputError: for pictures of another side than the generator's, attributes or grades that
                cannot be learnt, or too few who came again.
        """
        visits = source
        if not isinstance(visits, Visits):
            visits = read_visits(Path(visits), recipe.side, reading.progress)
            reading.faults += visits.faults
        recipe = _readable(visits, recipe)
        training, held_out = _split(visits, recipe)
        grading = None
        highest = grades_known(training)
        if highest:
            own = TRAININGS.get(recipe.preset, TRAININGS["demo"])
            grading = ClassificationRecipe(
                preset=recipe.preset, seed=recipe.seed, held_out=recipe.held_out, classifier=own
            )
            prepare_grader(both_sides(training, held_out), highest, grading)
        return ProgressionData(
            recipe, VisitsFingerprint.of(training),
            training=training, held_out=held_out, grading=grading,
        )  # fmt: skip

    def parts(self, data: ProgressionData) -> list[Part]:
        """Generator, both readers, forecasters, encoder, fine stage, and the second generator."""
        return ProgressionParts(data).parts()

    def finish(self, data: ProgressionData, run: Run[Any], progress: Progress) -> None:
        """Project all visits, choose neighbours, then fit and calibrate the grades."""
        if not (run.folder / TRAJECTORIES).is_file():
            model = ProgressionModel(data.recipe, data.fingerprint)
            for name, network in model.parts.items():
                run.load(name, network)
                placed(network)
            follow(run, model, data.training, data.held_out, progress)
        if data.grading is None:
            return
        prognosis = ProgressionPipeline(run)
        ready = prepare_grader(
            both_sides(data.training, data.held_out), grades_known(data.training), data.grading,
            lambda visits: prognosis.forecaster.reconstructed(visits, progress),
        )  # fmt: skip
        fit(ready, run.folder / GRADES, progress)
        calibrate_risk(ProgressionPipeline(run), data.held_out, progress)

    def card(self, data: ProgressionData, run: Run[Any]) -> list[str]:
        """Pictures, attributes, and how well the chosen neighbours predict held-out patients."""
        fingerprint, chosen = data.fingerprint, run.noted(CHOICE, _Chosen)
        return [
            f"pictures: {' × '.join(map(str, fingerprint.shape))}, {fingerprint.channels} channels",
            f"attributes: {', '.join(data.recipe.attributes)}",
            f"futures along {chosen.neighbours} neighbours, metric {chosen.metric}: ranked "
            f"probability score {chosen.score:.3f} of the standard deviation on held-out patients, "
            f"{chosen.score_of_no_change:.3f} without change",
        ]

    def open(self, run: Run[Any]) -> ProgressionPipeline:
        """The networks on their device, ready for pictures."""
        return ProgressionPipeline(run)


def _readable(visits: Visits, recipe: ProgressionRecipe) -> ProgressionRecipe:
    """The same recipe, of grades where none of the joint spaces that nobody asked for is known."""
    usual = recipe.attributes == ProgressionRecipe().attributes
    if usual and GRADE in visits.attributes and not set(recipe.attributes) & set(visits.attributes):
        return recipe.changed(attributes=(GRADE,))
    return recipe


def _split(visits: Visits, recipe: ProgressionRecipe) -> tuple[Visits, Visits]:
    """Visits to learn from and held-out ones, or `InputError` where nothing can be learnt."""
    if visits.images.shape[2:] != (recipe.side, recipe.side):
        fault = f"are {visits.images.shape[2]} pixels wide, the generator's {recipe.side}"
        raise InputError("visits", fault, f"read them with side {recipe.side}")
    if recipe.generator.critic == "features" and visits.images.shape[1] not in (1, 3):
        fault = f"have {visits.images.shape[1]} channels, a critic of features sees 1 or 3"
        raise InputError("visits", fault, "choose one channel, or a preset with a critic of pixels")
    training, held_out = visits.split_by_patient(recipe.held_out, recipe.seed)
    for part, words in ((training, "to learn from"), (held_out, "held out")):
        followed = len(part.followed())
        if followed < (FEWEST_FOLLOWED if part is training else 2):
            fault = f"hold {followed} subjects {words} who came again"
            raise InputError("visits", fault, "add follow-up pictures")
    for name in recipe.attributes:
        known = training.attributes.get(name, np.full(1, np.nan))
        if (~np.isnan(known)).sum() < FEWEST_KNOWN:
            fault = f"is known of {(~np.isnan(known)).sum()} pictures"
            raise InputError(name, fault, f"add it to cases.csv: {FEWEST_KNOWN} is the least")
    return training, held_out
