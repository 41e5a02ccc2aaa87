"""The order of a fit: check, plan, generator, readers, encoder, second generator, courses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.networks.weights import write_tensors
from vesalius.scans.fault import Refused
from vesalius.scans.progress import Progress, silent
from vesalius.scans.visits import Visits
from vesalius.scans.writing import write_text
from vesalius.synthesis.progression.choosing import Choice, HeldOut, choose
from vesalius.synthesis.progression.courses import Baseline, Courses, courses_of
from vesalius.synthesis.progression.diffusion import (
    LaterObjective,
    PictureAutoencoderObjective,
    encoded,
    pairs_of,
)
from vesalius.synthesis.progression.forecasting import (
    completed,
    folds_of,
    followed_by,
    foretell,
    foretold_of,
    yearly,
)
from vesalius.synthesis.progression.likeness import Likeness, attention_of
from vesalius.synthesis.progression.model import ProgressionModel, forecaster
from vesalius.synthesis.progression.neighbours import METRICS, metric_of
from vesalius.synthesis.progression.objectives import StyleObjective
from vesalius.synthesis.progression.projection import EncoderObjective, Projected, project
from vesalius.synthesis.progression.reader import ReaderObjective, read_attributes
from vesalius.synthesis.progression.recipe import ProgressionRecipe, ReaderRecipe
from vesalius.training.device import fabric_for
from vesalius.training.loop import fit
from vesalius.training.plan import Plan, planned, step_cost
from vesalius.training.recipe import FitRecipe
from vesalius.training.run import Run
from vesalius.training.visits_fingerprint import VisitsFingerprint

FEWEST_FOLLOWED, FEWEST_KNOWN, ATTENTION_PICTURES = 12, 16, 256
COURSES, CHOICE = "courses.safetensors", "choice"


@dataclass(frozen=True)
class PreparedProgression:
    """Visits that were read, and the plan of a fit. Nothing is written yet."""

    recipe: ProgressionRecipe
    fingerprint: VisitsFingerprint
    plan: Plan
    training: Visits
    held_out: Visits


def prepare_progression(visits: Visits, recipe: ProgressionRecipe) -> PreparedProgression:
    """Split visits by patient and plan the fit; those of split `test` are not touched.

    Raises:
        Refused: for pictures of another side than the generator's, attributes that are not known,
            too few who came again, or too little memory.
    """
    if visits.images.shape[2:] != (recipe.side, recipe.side):
        fault = f"are {visits.images.shape[2]} pixels wide, the generator's {recipe.side}"
        raise Refused("visits", fault, f"read them with side {recipe.side}")
    if recipe.generator.critic == "features" and visits.images.shape[1] not in (1, 3):
        fault = f"have {visits.images.shape[1]} channels, a critic of features sees 1 or 3"
        raise Refused("visits", fault, "choose one channel, or a preset with a critic of pixels")
    training, held_out = visits.split_by_patient(recipe.held_out, recipe.seed)
    for part, told in ((training, "to learn from"), (held_out, "held out")):
        followed = len(_followed(part))
        if followed < (FEWEST_FOLLOWED if part is training else 2):
            fault = f"hold {followed} subjects {told} who came again"
            raise Refused("visits", fault, "add follow-up pictures")
    for name in recipe.attributes:
        known = training.attributes.get(name, np.full(1, np.nan))
        if (~np.isnan(known)).sum() < FEWEST_KNOWN:
            fault = f"is known of {(~np.isnan(known)).sum()} pictures"
            raise Refused(name, fault, f"add it to cases.csv: {FEWEST_KNOWN} is the least")
    plan = _plan(recipe, training)
    plan.require_room()
    seen = VisitsFingerprint.of(training)
    return PreparedProgression(recipe, seen, plan, training, held_out)


def fit_progression(
    prepared: PreparedProgression, out: str | Path, progress: Progress = silent
) -> Run[VisitsFingerprint]:
    """Fit progression, or go on with a fit that was killed.

    Args:
        prepared: what `prepare_progression` made of visits.
        out: folder of the run.
        progress: told after each step.

    Raises:
        Refused: if the folder holds another run, or for a loss that is not finite.
    """
    recipe, training = prepared.recipe, prepared.training
    run = Run.create(out, recipe, prepared.fingerprint)
    torch.manual_seed(recipe.seed)
    model = ProgressionModel(recipe, prepared.fingerprint)
    if _missing(run, "generator", model.generator):
        game = StyleObjective(training.images, recipe.generator)
        _fit(game, len(training), recipe.generator.fit, "generator", run, progress)
        model.generator.load_state_dict(game.generator.state_dict())
        run.save("generator", model.generator)
    known = (training, prepared.held_out)
    halves = _folds(training, 2)
    for number, name in enumerate(("reader", "meter")):
        _fit_reader(name, number, known, halves == number, recipe.attributes, recipe.reader, run,
                    model, progress)  # fmt: skip
    ahead = tuple(
        followed_by(completed(one, recipe.attributes, model.reader), recipe.attributes)
        for one in known
    )
    folds = _folds(ahead[0], recipe.folds, training)
    for fold in range(recipe.folds):
        _fit_reader(forecaster(fold), fold, ahead, folds != fold, yearly(recipe.attributes),
                    recipe.forecast, run, model, progress)  # fmt: skip
    likeness = likeness_of(model, training.images)
    if _missing(run, "encoder", model.encoder):
        torch.manual_seed(recipe.seed)
        coding = EncoderObjective(training.images, model.generator, likeness, recipe.encoder)
        _fit(coding, len(training), recipe.encoder.fit, "encoder", run, progress)
        model.encoder.load_state_dict(coding.encoder.state_dict())
        run.save("encoder", model.encoder)
    if recipe.diffusion:
        _fit_second(run, model, likeness, training, progress)
    if not (run.folder / COURSES).is_file():
        _follow(run, model, likeness, prepared, progress)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    run.finish()
    return run


def likeness_of(model: ProgressionModel, images: np.ndarray) -> Likeness:
    """What a projection keeps, from some real pictures `(N, C, S, S)` in [0, 1]."""
    attention = attention_of(model.reader, images[:ATTENTION_PICTURES])
    recipe = model.recipe
    return Likeness(model.reader, attention, recipe.inner, recipe.readings)


def _fit_reader(
    name: str, number: int, known: tuple[Visits, ...], taught: np.ndarray,
    attributes: Sequence[str], recipe: ReaderRecipe, run: Run[VisitsFingerprint],
    model: ProgressionModel, progress: Progress,
) -> None:  # fmt: skip
    """Fit a network that reads attributes on some rows `taught` of the first of `known`."""
    training, held_out = known
    network = model.parts[name]
    if _missing(run, name, network):
        torch.manual_seed(model.recipe.seed + number)
        own = training.taken(np.flatnonzero(taught))
        reading = ReaderObjective(own, held_out, attributes, recipe)
        _fit(reading, len(own), recipe.fit, name, run, progress)
        network.load_state_dict(reading.reader.state_dict())
        run.save(name, network)


def _folds(visits: Visits, folds: int, everyone: Visits | None = None) -> np.ndarray:
    """The fold of each row; it follows from the patients of the run, not from rows alone."""
    fold = folds_of((everyone or visits).patients, folds)
    return np.array([fold[patient] for patient in visits.patients])


def _fit_second(
    run: Run[VisitsFingerprint], model: ProgressionModel, likeness: Likeness, training: Visits,
    progress: Progress,
) -> None:  # fmt: skip
    """Fit the autoencoder of pictures and the denoiser of later codes."""
    own, coder, denoiser = model.recipe.diffusion, model.coder, model.denoiser
    assert own is not None and coder is not None and denoiser is not None
    if _missing(run, "coder", coder):
        torch.manual_seed(model.recipe.seed)
        coding = PictureAutoencoderObjective(coder, training.images, likeness)
        _fit(coding, len(training), own.autoencoder_fit, "coder", run, progress)
        coder.spread.copy_(encoded(coder, training.images).std())
        run.save("coder", coder)
    if _missing(run, "denoiser", denoiser):
        torch.manual_seed(model.recipe.seed)
        pairs, years = pairs_of(training)
        later = LaterObjective(denoiser, encoded(coder, training.images), pairs, years)
        _fit(later, len(pairs), own.denoiser_fit, "denoiser", run, progress)
        run.save("denoiser", denoiser)


def _follow(
    run: Run[VisitsFingerprint], model: ProgressionModel, likeness: Likeness,
    prepared: PreparedProgression, progress: Progress,
) -> None:  # fmt: skip
    """Project all visits, keep the courses, and choose metric and K on held-out patients."""
    recipe = model.recipe

    def styles_of(visits: Visits) -> Projected:
        return project(
            visits.images, model.generator, likeness, recipe.refinement, model.encoder, progress
        )

    training, held_out = prepared.training, prepared.held_out
    styles = styles_of(training).styles
    courses = _courses(model, training, styles, recipe.all_visits)
    published = _courses(model, training, styles, all_visits=False)
    metrics = {name: metric_of(name, courses) for name in METRICS}
    rows = _followed(held_out)
    first, last = (held_out.taken([own[end] for own in rows]) for end in (0, -1))
    asked = HeldOut(
        Baseline(styles_of(first).styles, foretell(model.forecasters, first.images)),
        last.years - first.years,
        read_attributes(model.meter, first.images), read_attributes(model.meter, last.images),
    )  # fmt: skip
    choice = choose(metrics, courses, asked, recipe.neighbours)
    _write_choice(run, choice)
    run.write_card(_card(run, choice))
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


def _followed(visits: Visits) -> list[np.ndarray]:
    """Rows of each subject who came twice or more, by time."""
    years = visits.years
    return [rows for rows in visits.courses().values() if years[rows[-1]] > years[rows[0]]]


def _write_choice(run: Run[VisitsFingerprint], choice: Choice) -> None:
    run.note(CHOICE, {"metric": choice.metric, "neighbours": choice.neighbours})
    write_text(run.folder / f"{CHOICE}.csv", choice.table())


def _fit(
    objective: nn.Module, cases: int, recipe: FitRecipe, part: str,
    run: Run[VisitsFingerprint], progress: Progress,
) -> None:  # fmt: skip
    settings = run.recipe
    assert isinstance(settings, ProgressionRecipe)
    fit(objective, cases, recipe, settings.seed, part, run.folder, fabric_for(recipe.precision),
        progress)  # fmt: skip


def _missing(run: Run[VisitsFingerprint], part: str, network: nn.Module) -> bool:
    """Whether a part must still be fitted; otherwise its weights are loaded."""
    if not run.has(part):
        return True
    run.load(part, network)
    network.eval()
    return False


def _plan(recipe: ProgressionRecipe, training: Visits) -> Plan:
    shape = training.images.shape[1:]
    batch = recipe.generator.fit.batch_size

    def build() -> nn.Module:
        # a frozen network cannot be built without data; a critic of pixels costs about as much
        alike = recipe.generator.changed(critic="pixels")
        return StyleObjective(training.images[:1], alike)

    def step(game: nn.Module) -> Tensor:
        assert isinstance(game, StyleObjective)
        styles = torch.zeros(batch, game.generator.layers, recipe.generator.style)
        drawn = game.generator(styles)
        verdicts = game.judged(torch.cat([drawn, torch.zeros(batch, *shape), drawn]))
        return torch.stack([one.mean() for one in verdicts]).sum()

    settings = recipe.generator.fit
    cost = step_cost(build, step, settings.precision)
    return Plan(
        (planned("generator", settings.steps, cost, settings.precision),),
        4.0 * math.prod(training.images.shape),
    )


def _card(run: Run[VisitsFingerprint], choice: Choice) -> list[str]:
    """The run's own description, for people."""
    seen, recipe = run.fingerprint, run.recipe
    assert isinstance(recipe, ProgressionRecipe)
    phantom = "**Fitted on phantoms, not on patients.** " if seen.origin == "phantom" else ""
    best = choice.scores[choice.metric, choice.neighbours]
    return [
        f"# Run {run.name}: progression",
        "",
        f"{phantom}Fitted on {seen.pictures} pictures of {seen.subjects} subjects, "
        f"{seen.followed} of whom came again within {seen.longest_years:g} years.",
        "",
        f"- pictures: {' × '.join(map(str, seen.shape))}, {seen.channels} channels",
        f"- read attributes: {', '.join(recipe.attributes)}",
        f"- futures along {choice.neighbours} neighbours, metric {choice.metric}: ranked "
        f"probability score {best:.3f} of the spread on held-out patients, "
        f"{choice.scores['no_change', 0]:.3f} without change",
        f"- preset {recipe.preset}, seed {recipe.seed}",
        "",
        "Not for diagnosis. A drawn future is one course among those of similar patients, not what "
        "will be.",
    ]
