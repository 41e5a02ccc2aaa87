"""The experiment of progression, from phantoms to table.

After Han et al. 2021 (arXiv 2111.11439, "Predicting osteoarthritis progression in radiographs via
unsupervised representation learning"); the controls that tell what carries a gain are added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from time import perf_counter

import numpy as np
from safetensors.numpy import load_file, save_file

from vesalius.evidence.discrimination import Resampling, auc_difference, auc_figure
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import mean_figure, proportion
from vesalius.evidence.results import Results
from vesalius.experiments.osteoarthritis.cohort import Outcomes, ends_of, joint_spaces, outcomes_of
from vesalius.experiments.osteoarthritis.future import (
    future_figures,
    recognised,
    space_errors,
)
from vesalius.experiments.osteoarthritis.generator import generator_figures
from vesalius.experiments.osteoarthritis.methods import Methods, Prediction
from vesalius.experiments.osteoarthritis.prespecified import prespecified
from vesalius.experiments.osteoarthritis.recipe import OsteoarthritisRecipe
from vesalius.experiments.osteoarthritis.risk import risk_figures
from vesalius.experiments.osteoarthritis.shuffled import write_shuffled
from vesalius.experiments.osteoarthritis.strip import write_strip
from vesalius.experiments.prespecified import Prespecified
from vesalius.experiments.runner import Experiment, Stage, run_experiment
from vesalius.methods.classification.method import Classification
from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.classification.recipe import ClassificationRecipe
from vesalius.methods.progression.evaluator import read_attributes
from vesalius.methods.progression.futures import Forecaster
from vesalius.methods.progression.method import Progression
from vesalius.methods.progression.prognosis import (
    GRADES,
    HIGHEST,
    ProgressionPipeline,
    prepare_grader,
)
from vesalius.methods.progression.projection import (
    Projected,
    draw_styles,
    project,
)
from vesalius.methods.progression.recipe import PUBLISHED_PROJECTION
from vesalius.phantoms.cohorts.visits import write_knees
from vesalius.scans.classified import Classified
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.visit_layouts import read_visits
from vesalius.scans.visits import Visits
from vesalius.training.fit import fit, plan_fit
from vesalius.training.method import Reading

SHOWN = "extrapolation_on_own_picture"
"""The method whose pictures users are shown."""


def run_osteoarthritis(
    out: str | Path,
    recipe: OsteoarthritisRecipe,
    progress: Progress = no_progress,
    finished: Callable[[str], None] = lambda name: None,
) -> Results:
    """Run the experiment, or go on with one that was killed, and write `results.json`.

    Args:
        out: folder; cohorts `followed/`, `graded/`, `test/`, the run `run/` with its classifier of
            grades, and an `end-to-end-<outcomes>/` of each number appear in it.
        recipe: settings.
        progress: called after each case and step.
        finished: called after each stage.
    """
    results = Results("osteoarthritis", recipe.preset, recipe.seed, True, {}, {})
    subjects = {"": partial(_Osteoarthritis, recipe=recipe, progress=progress)}
    return run_experiment(results, out, recipe.digest, subjects, finished)


class _Osteoarthritis(Experiment[OsteoarthritisRecipe]):
    """Knees: what is predicted in every way that is compared, and what became of them."""

    def __init__(self, folder: Path, recipe: OsteoarthritisRecipe, progress: Progress) -> None:
        super().__init__(folder, recipe, progress)
        self.names = recipe.progression.attributes
        self.notes |= {
            "horizon_years": recipe.horizon, "outcomes": list(recipe.outcomes),
            "followed": recipe.followed, "critic": recipe.progression.generator.critic,
        }  # fmt: skip

    @property
    def prespecified(self) -> Prespecified:
        """By the recipe."""
        return prespecified(self.recipe)

    def stages(self) -> dict[str, Stage]:
        """From phantoms to prognoses."""
        return {
            "phantoms": self._phantoms,
            "progression": self._progression,
            "grading": self._grading,
            "end to end": self._end_to_end,
            "unseen phantoms": self._unseen,
            "generator": self._generator_figures,
            "projection": self._projection_figures,
            "prognoses": self._prognoses,
        }

    def _phantoms(self) -> None:
        recipe = self.recipe
        self._write("followed", recipe.followed, recipe.seed, recipe.visits)
        self._write("graded", recipe.graded, recipe.seed + 1000, recipe.visits)

    def _unseen(self) -> None:
        recipe = self.recipe
        ends = (recipe.visits[0], recipe.visits[-1])
        self._write("test", recipe.test, recipe.seed + 2000, ends)
        write_strip(
            self.folder / "strip.png", Forecaster.open(self.folder / "run"), self._visits("test")
        )

    def _write(self, name: str, count: int, seed: int, years: tuple[float, ...]) -> None:
        """A cohort of phantoms."""
        write_knees(
            self.folder / name, count, seed, self.recipe.progression.side, years,
            workers=self.recipe.workers, progress=self.progress,
        )  # fmt: skip

    def _visits(self, name: str) -> Visits:
        return read_visits(self.folder / name, self.recipe.progression.side, self.progress)

    @cached_property
    def _parts(self) -> tuple[Visits, Visits]:
        """Followed patients to learn from, and those held out."""
        own = self.recipe.progression
        return self._visits("followed").split_by_patient(own.held_out, own.seed)

    def _progression(self) -> dict[str, Figure]:
        method = Progression()
        data = method.read(self._visits("followed"), self.recipe.progression, Reading())
        ready = plan_fit(method, replace(data, grading=None))  # graded by other patients, later
        fit(ready, self.folder / "run", self.progress)
        return {}

    def _grading(self) -> dict[str, Figure]:
        recipe = ClassificationRecipe(
            preset=self.recipe.preset, seed=self.recipe.seed, classifier=self.recipe.grading
        )
        forecaster = Forecaster.open(self.folder / "run")
        ready = prepare_grader(
            self._visits("graded"), HIGHEST, recipe,
            lambda visits: forecaster.reconstructed(visits, self.progress),
        )  # fmt: skip
        fit(ready, self.folder / "run" / GRADES, self.progress)
        return {}

    def _end_to_end(self) -> dict[str, Figure]:
        """Classifiers of more and more outcomes that go on from what grades have taught one."""
        return {
            key: figure for count in self.recipe.outcomes
            for key, figure in self._taught(count).items()
        }  # fmt: skip

    def _taught(self, count: int) -> dict[str, Figure]:
        """A classifier of so many outcomes."""
        first, last = ends_of(self._parts[0])
        reported = outcomes_of(first, last, np.zeros((len(first), 0)))
        chosen = range(min(count, len(first)))
        images = Classified(
            first.images, reported.fast.astype(np.float32)[:, None], ("fast_progression",),
            first.names, first.patients, ("",) * len(first), origin=first.origin,
        ).taken(chosen)  # fmt: skip
        own = self.recipe.end_to_end
        recipe = ClassificationRecipe(
            preset=self.recipe.preset, seed=self.recipe.seed, held_out=0.25, classifier=own
        )
        method = Classification()
        grader = ClassificationPipeline.open(self.folder / "run" / GRADES)
        initialised = grader.initialised(outputs=1, seed=self.recipe.seed)
        data = method.read(images, recipe, Reading())
        ready = plan_fit(method, replace(data, first=initialised))
        fit(ready, self.folder / self._named(count), self.progress)
        positives = sum(bool(reported.fast[row]) for row in chosen)
        return {f"outcomes/{count}/fast": proportion(positives, len(chosen), "patients")}

    def _named(self, count: int) -> str:
        """The folder of a classifier."""
        return f"end-to-end-{count}"

    @cached_property
    def _prognosis(self) -> ProgressionPipeline:
        return ProgressionPipeline.open(self.folder / "run")

    def _generator_figures(self) -> dict[str, Figure]:
        """How near generated pictures are to real ones, and whether joint spaces vary alike."""
        self.notes["real_among_shuffled"] = write_shuffled(
            self.folder / "shuffled.png", self._prognosis.forecaster, self._visits("test"),
            self.recipe.seed,
        )  # fmt: skip
        return generator_figures(
            self._prognosis.forecaster, self._parts[0], self._visits("test"),
            self._visits("graded"), self.recipe, self.progress,
        )  # fmt: skip

    def _projection_figures(self) -> dict[str, Figure]:
        """Error, time, and what is left of joint spaces after each way of projecting."""
        forecaster, (test, last) = self._prognosis.forecaster, ends_of(self._visits("test"))
        few = range(min(self.recipe.optimised, len(test)))
        some, later = test.taken(few), last.taken(few)
        steps = PUBLISHED_PROJECTION.changed(steps=self.recipe.optimisation_steps)

        def optimised() -> Projected:
            return project(
                some.images, forecaster.model.generator, forecaster.projection_loss, steps
            )

        result: dict[str, Figure] = {}
        true = joint_spaces(some, self.names)
        ranked: dict[str, np.ndarray] = {}
        for way, work in (
            ("encoder", lambda: forecaster.projected(some.images)), ("optimisation", optimised)
        ):  # fmt: skip
            initialised = perf_counter()
            projected = work()
            seconds = (perf_counter() - initialised) / len(some)
            generated = draw_styles(forecaster.model.generator, projected.styles)
            read = read_attributes(forecaster.model.meter, generated)
            result[f"projection/{way}/seconds"] = counted(
                seconds, "s", len(some), "patients", "measured once"
            )
            result[f"projection/{way}/lpips_or_l2"] = mean_figure(projected.pixels, "", "patients")
            result[f"projection/{way}/difference"] = mean_figure(
                projected.difference, "", "patients"
            )
            result[f"projection/{way}/joint_space_mae_mm"] = mean_figure(
                np.abs(read - true).mean(axis=1), "mm", "patients"
            )
            own = outcomes_of(some, later, projected.styles)
            ranked[way] = _column(self._methods.every["extrapolation"](own).score)
            result[f"projection/{way}/risk_auc"] = auc_figure(
                ranked[way], own.targets, self._resampling(own)
            )
        result["projection/encoder_minus_optimisation/risk_auc"] = auc_difference(
            ranked["encoder"], ranked["optimisation"], own.targets, self._resampling(own)
        )
        return result

    def _resampling(self, own: Outcomes) -> Resampling:
        """Of areas: patients are taken anew, with all of their joints."""
        return Resampling(own.first.patients, resamples=self.recipe.resamples)

    def _outcomes(self, name: str, visits: Visits) -> Outcomes:
        first, last = ends_of(visits)
        kept = self.folder / f"styles-{name}.safetensors"
        if not kept.is_file():
            styles = self._prognosis.forecaster.projected(first.images, self.progress).styles
            save_file({"styles": np.ascontiguousarray(styles)}, kept)
        return outcomes_of(first, last, load_file(kept)["styles"])

    @cached_property
    def _methods(self) -> Methods:
        first, _ = ends_of(self._parts[0])
        end_to_end = {
            count: ClassificationPipeline.open(self.folder / self._named(count))
            for count in self.recipe.outcomes
        }
        return Methods(self._prognosis, first, end_to_end, self.recipe.seed)

    def _prognoses(self) -> dict[str, Figure]:
        """What every method says of unseen patients, and what became of them."""
        _, held_out = self._parts
        test = self._outcomes("test", self._visits("test"))
        ends = self._outcomes("held-out", held_out)
        methods = self._methods
        reported: dict[str, Prediction] = {
            name: predict(test) for name, predict in methods.every.items()
        }
        scores = {name: one.score for name, one in reported.items() if one.score is not None}
        points = {name: methods.every[name](ends).score for name in scores}
        result = risk_figures(
            scores, {n: s for n, s in points.items() if s is not None}, test.fast, ends.fast,
            self._resampling(test),
        )  # fmt: skip
        against = {
            name: space_errors(reported[name].readings, test, self.names)  # type: ignore[arg-type]
            for name in ("no_change", "mean_difference")
        }
        later = test.last.images[:, 0].astype(float)
        unchanged = recognised(test.images[:, 0], later)
        for name, one in reported.items():
            result |= future_figures(name, one, test, self.names, against, unchanged)
        shown = result.get(f"future/{SHOWN}/identity_share_of_true")
        if shown is not None:
            result["knee/identity/share_of_true"] = shown
        for count in self.recipe.progression.neighbours:
            if count > len(methods.training):
                continue
            own = methods.along(test, methods.outcomes(test, count))
            result[f"neighbours/{count}/auc"] = auc_figure(
                _column(own.score), test.targets, self._resampling(test)
            )
            result |= {
                key.replace(f"future/{count}/", f"neighbours/{count}/"): figure
                for key, figure in future_figures(
                    str(count), replace(own, pictures=None), test, self.names, {}
                ).items()
            }
        result["risk/fast"] = proportion(test.fast.sum(), len(test), "patients")
        return result


def _column(score: np.ndarray | None) -> np.ndarray:
    """A score as that of the one label there is, `(P, 1)`."""
    assert score is not None
    return score[:, None]
