"""The experiment of pathology inpainting: six methods, counterfactual truth, and what it is for.

The comparison by Fréchet distance on crops around the disc follows Hansen et al. 2024 (arXiv
2406.02477); the truth of every edit, its cost and its use for a classifier are added.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy import stats

from vesalius.evidence.control import share_of_draws
from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import bootstrapped, mean_figure, proportion
from vesalius.evidence.results import Results
from vesalius.experiments.lumbar.edits import make_edits
from vesalius.experiments.lumbar.fidelity import edit_figures
from vesalius.experiments.lumbar.prespecified import prespecified
from vesalius.experiments.lumbar.recipe import LumbarRecipe
from vesalius.experiments.lumbar.utility import site_findings, upper_bound_cohort, utility_figures
from vesalius.experiments.prespecified import Prespecified
from vesalius.experiments.runner import Experiment, Stage, run_experiment
from vesalius.methods.inpainting.balancing import missing_findings
from vesalius.methods.inpainting.method import Inpainting
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.inpainting.sampling import FindingRequest, InpaintingSampler, edit_request
from vesalius.phantoms.cohorts.organs import write_spines
from vesalius.phantoms.cohorts.writing import case_seeds
from vesalius.phantoms.spine.anatomy import LEVELS
from vesalius.phantoms.spine.findings import PATHOLOGIES, Finding, draw_finding
from vesalius.sampling.cohort import sample_cohort
from vesalius.sampling.rejection import Draw, sample_case
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import read_landmarks
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.writing import write_text
from vesalius.training.fit import fit, prepare
from vesalius.training.method import Reading
from vesalius.training.run import Run

HEALTHY = "healthy"


def run_lumbar(
    out: str | Path,
    recipe: LumbarRecipe,
    progress: Progress = no_progress,
    finished: Callable[[str], None] = lambda name: None,
) -> Results:
    """Run the experiment, or go on with one that was killed, and write `results.json`.

    Args:
        out: folder; `real/`, `unseen/`, `reference/`, `site/`, `run-<seed>/`, `edits-<seed>/`,
            `balanced/`, `upper_bound/` and `classifiers/` appear in it.
        recipe: settings.
        progress: called after each case and step.
        finished: called after each stage.
    """
    results = Results("lumbar", recipe.preset, recipe.seed, True, {}, {})
    subjects = {"": partial(_Lumbar, recipe=recipe, progress=progress)}
    return run_experiment(results, out, recipe.digest, subjects, finished)


class _Lumbar(Experiment[LumbarRecipe]):
    """Spines: six methods of setting findings in, and a classifier at a site that lacks them."""

    def __init__(self, folder: Path, recipe: LumbarRecipe, progress: Progress) -> None:
        super().__init__(folder, recipe, progress)
        self.notes |= {
            "seeds": list(recipe.seeds), "calls": recipe.inpainting.calls,
            "reference_patients": recipe.patients, "site_patients": recipe.site_cases,
            "site_findings": recipe.site_findings,
            "classifier_seeds": list(recipe.classifier_seeds),
            "features": Path(recipe.features).name,
            "training_steps": recipe.inpainting.fit.steps,
        }  # fmt: skip

    @property
    def prespecified(self) -> Prespecified:
        """By the recipe."""
        return prespecified(self.recipe)

    def stages(self) -> dict[str, Stage]:
        """From phantoms to the use for a classifier."""
        seeds = self.recipe.seeds
        fits = {f"fit {seed}": partial(self._fit, seed) for seed in seeds}
        edits = {f"edits {seed}": partial(self._edit, seed) for seed in seeds}
        return {
            "phantoms": self._phantoms, **fits, "unseen phantoms": self._unseen, **edits,
            "control": self._control, "other site": self._site, "balance": self._balance,
            "upper_bound": self._upper_bound, "fidelity": self._fidelity, "utility": self._utility,
        }  # fmt: skip

    @property
    def _counterfactuals(self) -> dict[str, Cohort]:
        names = (HEALTHY, *PATHOLOGIES)
        return {name: Cohort.open(self.folder / "unseen" / name) for name in names}

    def _run(self, seed: int) -> Run:
        return Run.open(self.folder / f"run-{seed}", InpaintingRecipe)

    def _phantoms(self) -> None:
        recipe = self.recipe
        write_spines(
            self.folder / "real", recipe.cases, recipe.seed, recipe.spacing_mm, recipe.prevalence,
            split="train", workers=recipe.workers, progress=self.progress,
        )  # fmt: skip

    def _unseen(self) -> None:
        recipe = self.recipe
        for name, findings in _counterfactual_findings(recipe).items():
            write_spines(
                self.folder / "unseen" / name, recipe.patients, recipe.seed + 1,
                recipe.spacing_mm, findings=findings, split="test", workers=recipe.workers,
                progress=self.progress,
            )  # fmt: skip
        write_spines(
            self.folder / "reference", 2 * recipe.patients, recipe.seed + 2, recipe.spacing_mm,
            findings=_reference_findings(recipe), split="test", workers=recipe.workers,
            progress=self.progress,
        )  # fmt: skip

    def _fit(self, seed: int) -> None:
        settings = self.recipe.inpainting.changed(seed=seed)
        prepared = prepare(Inpainting(), self.cohort("real"), settings, Reading(self.progress))
        fit(prepared, self.folder / f"run-{seed}", self.progress)

    def _edit(self, seed: int) -> None:
        out = self.folder / f"edits-{seed}"
        make_edits(self._run(seed), self._counterfactuals, out, self.recipe, seed, self.progress)

    def _control(self) -> dict[str, Figure]:
        run = self._run(self.recipe.seeds[0])
        self.notes["run"] = run.name
        path = self.folder / "control.csv"
        healthy = self._counterfactuals[HEALTHY]
        draws, refused = _requested_sizes(run, healthy, self.recipe, self.progress)
        self.notes["requests_refused"] = [str(fault) for fault in refused]
        _write_draws(draws, path)
        return _control_figures(path)

    def _site(self) -> None:
        recipe = self.recipe
        write_spines(
            self.folder / "site", recipe.site_cases, recipe.seed + 3, recipe.spacing_mm,
            findings=site_findings(recipe), split="train", workers=recipe.workers,
            progress=self.progress,
        )  # fmt: skip

    def _balance(self) -> None:
        recipe, site = self.recipe, self.cohort("site")
        marks, _ = read_landmarks(site.folder, {case.name: case for case in site.cases})
        pipeline = InpaintingPipeline(self._run(recipe.seeds[0]))
        requests = missing_findings(
            site, marks, pipeline, recipe.balance_cases, recipe.seed, self.progress
        )  # fmt: skip
        names = pipeline.attribute_names
        sampler = InpaintingSampler(pipeline, site, names, recipe.tolerance_mm)
        generated = sample_cohort(
            sampler, requests, self.folder / "balanced", recipe.tries, progress=self.progress,
            inputs=[site.folder],
        )  # fmt: skip
        self.notes["balanced_cases"] = len(generated.cohort.cases)

    def _upper_bound(self) -> None:
        out = self.folder / "upper_bound"
        upper_bound_cohort(self.cohort("balanced"), out, self.recipe, self.progress)

    def _fidelity(self) -> dict[str, Figure]:
        return edit_figures(self.folder, self.cohort("reference"), self.recipe, self.progress)

    def _utility(self) -> dict[str, Figure]:
        tests = [*self._counterfactuals.values(), self.cohort("reference")]
        return utility_figures(
            self.cohort("site"), self.cohort("balanced"), self.cohort("real"),
            self.cohort("upper_bound"), tests, self.folder / "classifiers", self.recipe,
            self.progress,
        )  # fmt: skip


def _counterfactual_findings(recipe: LumbarRecipe) -> dict[str, list[list[Finding]]]:
    """Findings of the unseen patients: none, and for each pathology one at one level."""
    rng = np.random.default_rng([recipe.seed, 11])
    result: dict[str, list[list[Finding]]] = {HEALTHY: [[] for _ in range(recipe.patients)]}
    for pathology in PATHOLOGIES:
        result[pathology] = [
            [draw_finding(pathology, LEVELS[index % len(LEVELS)], rng)]
            for index in range(recipe.patients)
        ]
    return result


def _reference_findings(recipe: LumbarRecipe) -> list[list[Finding]]:
    """Two halves of as many patients as are edited, each with one finding of each pathology."""
    rng = np.random.default_rng([recipe.seed, 12])
    cases = []
    for _ in range(2 * recipe.patients):
        levels = rng.permutation(LEVELS)[: len(PATHOLOGIES)]
        pairs = zip(PATHOLOGIES, levels, strict=True)
        cases.append([draw_finding(kind, str(level), rng) for kind, level in pairs])
    return cases


def _requested_sizes(
    run: Run, healthy: Cohort, recipe: LumbarRecipe, progress: Progress
) -> tuple[list[Draw], list[InputProblem]]:  # fmt: skip
    """Every attempt at findings of evenly rising severity in unseen healthy patients.

    And what is refused: a level that is as good as ill before anything is set into it.
    """
    pipeline = InpaintingPipeline(run)
    seeds = case_seeds(recipe.seed + 7, recipe.control_cases)
    draws: list[Draw] = []
    refused: list[InputProblem] = []
    for index in range(recipe.control_cases):
        pathology = PATHOLOGIES[index % len(PATHOLOGIES)]
        case = healthy.cases[index % len(healthy.cases)]
        scan = healthy.read(case)
        severity = (index + 0.5) / recipe.control_cases
        level = LEVELS[(3 * index + index // len(LEVELS)) % len(LEVELS)]
        size = pipeline.training_range.pathology(pathology).size_at(severity)
        if pathology == "stenosis":
            size = min(size, pipeline.measured(scan, pathology, level) - 1.5)
        finding = FindingRequest(pathology, level, size)
        request = edit_request(f"control_{index:03d}", case, finding, seeds[index])
        sampler = InpaintingSampler(pipeline, {case.name: scan}, [], recipe.tolerance_mm)
        try:
            draws += sample_case(sampler, request, recipe.tries).draws
        except InputError as refusal:
            refused.append(refusal.fault)
        progress("requesting sizes", index + 1, recipe.control_cases)
    return draws, refused


def _write_draws(draws: Sequence[Draw], path: Path) -> None:
    lines = ["case,attempt,pathology,level,requested_mm,measured_mm,accepted"]
    lines += [
        f"{draw.case},{draw.attempt},{draw.requested['pathology']},{draw.requested['level']},"
        f"{draw.requested['size_mm']:.4g},{next(iter(draw.measured.values())):.4g},"
        f"{int(draw.accepted)}"
        for draw in draws
    ]
    write_text(path, "\n".join(lines) + "\n")


def _control_figures(path: Path) -> dict[str, Figure]:
    """Size asked for against size measured: of first draws, and of those that were kept."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    result: dict[str, Figure] = {}
    for pathology in PATHOLOGIES:
        own = [row for row in rows if row["pathology"] == pathology]
        for which, chosen in (
            ("", [row for row in own if row["accepted"] == "1"]),
            ("first_draw/", [row for row in own if row["attempt"] == "0"]),
        ):
            if len(chosen) < 3:
                continue
            requested, measured = (
                np.array([float(row[name]) for row in chosen])
                for name in ("requested_mm", "measured_mm")
            )
            head = f"request/{pathology}/{which}"
            result[f"{head}mae_mm"] = mean_figure(np.abs(requested - measured), "mm", "requests")
            result[f"{head}spearman"] = bootstrapped(
                [requested, measured], _spearman, "", "requests"
            )
        requests, accepted = [row["case"] for row in own], [row["accepted"] == "1" for row in own]
        result[f"request/{pathology}/met"] = proportion(
            sum(accepted), len(set(requests)), "requests"
        )
        result[f"request/{pathology}/acceptance"] = share_of_draws(requests, accepted)
    return result


def _spearman(requested: np.ndarray, measured: np.ndarray) -> float:
    return float(stats.spearmanr(requested, measured).statistic)
