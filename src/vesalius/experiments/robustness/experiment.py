"""The experiment of interpretable classifiers, for one kind of data after the other.

After Han et al. 2021 ("Advancing diagnostic performance and clinical usability of neural networks
via adversarial training and dual batch normalization"); clean-path routing, masks that are known
and what maps must beat are added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors.torch import load_file, save_file
from torch import nn

from vesalius.evidence.discrimination import (
    Resampling,
    auc_difference,
    auc_figure,
    mean_auc,
)
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.results import Results
from vesalius.experiments.prespecified import Prespecified
from vesalius.experiments.robustness.discrimination import Trained, discrimination_figures
from vesalius.experiments.robustness.maps import write_maps
from vesalius.experiments.robustness.pointing import pointing_figures, readable_path
from vesalius.experiments.robustness.prespecified import prespecified
from vesalius.experiments.robustness.recipe import ARMS, Data, RobustnessRecipe
from vesalius.experiments.robustness.routing import (
    clean_path_scores,
    published_scores,
    strongest_scores,
)
from vesalius.experiments.runner import Experiment, Stage, run_experiment
from vesalius.methods.classification.method import Classification, ClassificationData
from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.classification.recipe import ClassificationRecipe
from vesalius.methods.classification.training import Training, first_stage, untrained
from vesalius.phantoms.cohorts.findings import write_findings
from vesalius.scans.classified import Classified
from vesalius.scans.classified_layouts import read_cohort
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import chosen_workers
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.writing import make_folder, write_text
from vesalius.training.attacks import Attack
from vesalius.training.fit import fit, plan_fit
from vesalius.training.method import Reading

ROUTINGS = {"published": published_scores, "clean_path": clean_path_scores}
CURVE = ("training", "routing", "epsilon", "auc")


def run_robustness(
    out: str | Path,
    recipe: RobustnessRecipe,
    progress: Progress = no_progress,
    finished: Callable[[str], None] = lambda name: None,
) -> Results:
    """Run the experiment, or go on with one that was killed, and write `results.json`.

    Args:
        out: folder; for each kind of data `real/`, `test/`, `external/`, one run an arm and seed,
            and `curve.csv` appear in a folder of its name.
        recipe: settings.
        progress: called after each case and step.
        finished: called after each stage.
    """
    alike = recipe.changed(data=())  # a folder may be given other data later
    results = Results("robustness", recipe.preset, recipe.seed, True, {}, {})
    subjects: dict[str, Callable[[Path], Experiment]] = {
        data: partial(_DataExperiment, data=data, recipe=recipe, progress=progress)
        for data in recipe.data
    }
    return run_experiment(results, out, alike.digest, subjects, finished)


def costs(seconds: Mapping[str, float]) -> dict[str, Figure]:
    """What the other trainings took, as a multiple of the standard one over as many steps.

    >>> print(costs({"standard": 2.0, "dual": 9.0})["dual/cost"])
    4.5 times
    """
    if "standard" not in seconds:
        return {}
    return {
        f"{arm}/cost": counted(
            seconds[arm] / seconds["standard"], "times", 1, "trainings", "measured once"
        )
        for arm in ARMS[1:]
        if arm in seconds
    }


class _DataExperiment(Experiment[RobustnessRecipe]):
    """One kind of data."""

    def __init__(
        self, folder: Path, data: Data, recipe: RobustnessRecipe, progress: Progress
    ) -> None:
        super().__init__(folder, recipe, progress)
        self.data, self.own = data, recipe.of(data)
        self._read: dict[str, Classified] = {}
        self.notes |= {
            "headline": list(self.own.headline), "cases": self.own.cases, "seeds": recipe.seeds,
            "primary_epsilon": recipe.primary,
        }  # fmt: skip

    @property
    def prespecified(self) -> Prespecified:
        """By the recipe."""
        return prespecified(self.data, self.recipe)

    def stages(self) -> dict[str, Stage]:
        """From phantoms to maps."""
        return {
            "phantoms": self._phantoms, "first stage": self._first,
            **{arm: partial(self._fit, arm) for arm in ARMS}, "unseen phantoms": self._unseen,
            "discrimination": self._discrimination, "robustness": self._robustness,
            "saliency": self._saliency,
            **({"sizes": self._sizes} if self.recipe.sizes else {}),
        }  # fmt: skip

    def derived(self, seconds: Mapping[str, float]) -> dict[str, Figure]:
        """What each training took."""
        return costs(seconds)

    def _phantoms(self) -> None:
        self._write("real", self.own.cases, self.recipe.seed)

    def _unseen(self) -> None:
        recipe = self.recipe
        self._write("test", self.own.test_cases or recipe.test_cases, recipe.seed + 1000)
        self._write("external", recipe.external_cases, recipe.seed + 2000, "external")
        self.notes["labels"] = list(self._images("test").labels)

    def _write(
        self, name: str, count: int, seed: int, scanner: Literal["source", "external"] = "source"
    ) -> None:
        """A cohort of phantoms."""
        write_findings(
            self.own.kind, self.folder / name, count, seed, self.own.side, scanner,
            workers=chosen_workers(self.recipe.workers), progress=self.progress,
        )  # fmt: skip

    def _images(self, name: str) -> Classified:
        if name not in self._read:
            cohort = Cohort.open(self.folder / name, labelled=False)
            self._read[name] = read_cohort(cohort, (), self.own.side, self.progress)
        return self._read[name]

    def _data(
        self, arm: Training, seed: int, images: Classified | None = None
    ) -> ClassificationData:
        recipe = ClassificationRecipe(
            preset=self.recipe.preset, seed=self.recipe.seed + seed,
            classifier=self.recipe.training(self.data, arm),
        )  # fmt: skip
        return Classification().read(images or self._images("real"), recipe, Reading())

    def _first(self) -> dict[str, Figure]:
        """The fit that all arms of a seed begin with."""
        for seed in range(self.recipe.seeds):
            self._begin(self._data("standard", seed), self._initialised(f"{seed}"))
        return {}

    def _begin(self, data: ClassificationData, path: Path) -> None:
        """Do the first stage unless it was done."""
        if path.is_file():
            return
        network = first_stage(
            data.training, data.held_out, data.recipe.classifier, data.recipe.seed,
            make_folder(path.parent), self.progress,
        )  # fmt: skip
        state = network.state_dict()
        save_file({name: value.contiguous() for name, value in state.items()}, path)

    def _initialised(self, name: str) -> Path:
        return self.folder / "initialised" / name / "classifier.safetensors"

    def _fit(self, arm: Training) -> dict[str, Figure]:
        for seed in range(self.recipe.seeds):
            first = self._initialised(f"{seed}")
            self._go_on(self._data(arm, seed), first, self._run(arm, seed))
        return {}

    def _go_on(self, data: ClassificationData, first: Path, run: Path) -> None:
        """Do the second stage from what the first one left."""
        seen = data.fingerprint
        network = untrained(
            data.recipe.classifier, seen.channels, len(seen.labels), len(seen.shape)
        )
        network.load_state_dict(load_file(first))
        fit(plan_fit(Classification(), replace(data, first=network)), run, self.progress)

    def _sizes(self) -> dict[str, Figure]:
        """How far dual training is behind or ahead at each number of images."""
        recipe, test = self.recipe, self._images("test")
        self._write("larger", max(recipe.sizes), recipe.seed + 3000)
        every, result = self._images("larger"), {}
        resampling = Resampling(test.subjects, resamples=recipe.resamples)
        for count in recipe.sizes:
            name = f"size-{count}"
            scores = []
            for arm in ("standard", "dual"):
                data = self._data(arm, 0, every.taken(range(count)))
                self._begin(data, self._initialised(name))
                run = self.folder / "runs" / f"{arm}-{name}"
                self._go_on(data, self._initialised(name), run)
                scores.append(ClassificationPipeline.open(run).logits(test.images))
            for arm, own in zip(("standard", "dual"), scores, strict=True):
                result[f"size/{count}/{arm}/auc"] = auc_figure(own, test.targets, resampling)
            result[f"size/{count}/dual_minus_standard/auc"] = auc_difference(
                scores[1], scores[0], test.targets, resampling
            )
        return result

    def _run(self, arm: Training, seed: int) -> Path:
        return self.folder / "runs" / f"{arm}-{seed}"

    @property
    def _arms(self) -> Trained:
        seeds = range(self.recipe.seeds)
        return {
            arm: [ClassificationPipeline.open(self._run(arm, s)) for s in seeds] for arm in ARMS
        }

    def _discrimination(self) -> dict[str, Figure]:
        return discrimination_figures(
            self._arms, self._images("test"), self._images("external"), self.recipe.resamples
        )

    def _robustness(self) -> dict[str, Figure]:
        """The curve over the size of the change, and the worst at the primary one."""
        recipe = self.recipe
        test = self._images("test")
        images = test.taken(range(min(recipe.attacked_cases, len(test))))
        resampling = Resampling(images.subjects, resamples=recipe.resamples)
        result: dict[str, Figure] = {}
        lines: list[tuple[str, ...]] = [CURVE]
        sizes = np.linspace(0, recipe.largest, recipe.epsilons)
        reported = f"attacking {self.data}"
        for arm, trained in self._arms.items():
            for epsilon in track(sizes, f"{reported}, {arm}", len(sizes), self.progress):
                attack = recipe.classifier.attack.changed(
                    epsilon=float(epsilon), steps=recipe.attack_steps
                )
                for routing, scores in ROUTINGS.items():
                    if routing == "published" and arm != "dual":
                        continue  # of one path: both are the same
                    evaluated = trained[: recipe.curve_seeds]
                    every = np.stack([scores(one.network, images, attack) for one in evaluated])
                    area = mean_auc(every, images.targets)
                    lines.append((arm, routing, f"{epsilon:.4g}", f"{area:.5f}"))
            at = recipe.classifier.attack.changed(epsilon=recipe.primary, steps=recipe.attack_steps)
            strong = at.changed(steps=recipe.strong_steps, restarts=recipe.strong_restarts)
            for name, scores, attack in (
                ("robust_auc_published", published_scores, at),
                ("robust_auc_clean_path", strongest_scores, strong),
            ):
                every = np.stack([scores(one.network, images, attack) for one in trained])
                figure = auc_figure(every, images.targets, resampling)
                result[f"{arm}/{name}"] = figure
            result |= self._budgets(arm, trained[0].network, images, strong)
        self._write_curve(lines)
        return result

    def _budgets(
        self, arm: str, network: nn.Module, images: Classified, strong: Attack
    ) -> dict[str, Figure]:  # fmt: skip
        """Whether an attack that spends as much as AutoAttack finds worse, on one training."""
        recipe = self.recipe
        few = images.taken(range(min(recipe.full_cases, len(images))))
        if not len(few):
            return {}
        full = strong.changed(
            steps=recipe.full_steps, restarts=recipe.full_restarts, queries=recipe.full_queries
        )
        resampling = Resampling(few.subjects, resamples=recipe.resamples)
        return {
            f"{arm}/robust_auc_{name}_budget": auc_figure(
                strongest_scores(network, few, attack), few.targets, resampling
            )
            for name, attack in (("own", strong), ("full", full))
        }

    def _write_curve(self, lines: list[tuple[str, ...]]) -> None:
        write_text(self.folder / "curve.csv", "\n".join(",".join(line) for line in lines) + "\n")

    def _saliency(self) -> dict[str, Figure]:
        arms, headline = self._arms, self.own.headline
        path = readable_path(arms["dual"], self._data("dual", 0).held_out, headline)
        self.notes["map_path"] = path
        first = {arm: trained[0] for arm, trained in arms.items()}
        write_maps(self.folder / "maps.png", first, self._images("test"), headline, path)
        return pointing_figures(arms, self._images("real"), self._images("test"), headline, path)
