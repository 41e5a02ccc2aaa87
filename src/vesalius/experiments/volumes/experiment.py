"""The experiment of whole volumes: from phantoms to table, for one organ after the other.

Diversity by similarity of pairs and pre-training for segmentation with scarce labels follow Khader
et al. 2023 (arXiv 2211.03364); floors, controls of the gain, and the audit are added.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from vesalius.evidence.audit import audit
from vesalius.evidence.figure import Figure, Results, mean_figure
from vesalius.experiments.runner import Measured, Work, run_arms
from vesalius.experiments.stages import Stages
from vesalius.experiments.volumes.control import measure_control, read_control
from vesalius.experiments.volumes.fidelity import (
    EvaluationSet,
    frechet_figures,
    radiomics_figures,
    similarity_figures,
)
from vesalius.experiments.volumes.recipe import Organ, VolumesExperimentRecipe
from vesalius.experiments.volumes.transfer import Transfer, transfer_figures
from vesalius.methods.segmentation.method import Segmentation
from vesalius.methods.segmentation.pipeline import SegmentationPipeline
from vesalius.methods.segmentation.recipe import SegmentationRecipe
from vesalius.methods.volumes.method import Volumes, reconstruction_of
from vesalius.methods.volumes.pipeline import (
    Sampling,
    VolumesPipeline,
    sampling_of,
)
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.methods.volumes.sampling import VolumesSampler
from vesalius.networks.picture_features import lite0_features
from vesalius.phantoms.cohorts.organs import write_gridded
from vesalius.sampling.cohort import sample_cohort
from vesalius.sampling.rejection import case_requests
from vesalius.scans.cohort import Cohort
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.fit import fit, prepare
from vesalius.training.method import Reading
from vesalius.training.requests import even_requests
from vesalius.training.run import Run

GAUSSIAN_FIT = "run-gaussian"


def run_volumes(
    out: str | Path,
    recipe: VolumesExperimentRecipe,
    progress: Progress = no_progress,
    finished: Callable[[str], None] = lambda name: None,
) -> Results:
    """Run the experiment, or go on with one that was killed, and write `results.json`.

    Args:
        out: folder; for each organ `real/`, `unseen/`, `held-out/`, `run/`, `drawn/`, `audit/` and
            `teaching/` appear in a folder of its name.
        recipe: settings.
        progress: told after each case and step.
        finished: called after each stage.
    """
    alike = recipe.changed(organs=())  # a folder may be given another organ later
    stages = Stages(out, alike.digest)
    arms: dict[str, Mapping[str, Work]] = {
        organ: _OrganExperiment(stages.folder / organ, organ, recipe, progress).stages
        for organ in recipe.organs
    }
    results = Results("volumes", recipe.preset, recipe.seed, True, {}, {})
    return run_arms(stages, results, arms, finished)


class _OrganExperiment:
    """One organ: stages that write files, each with what was measured of it."""

    def __init__(
        self, folder: Path, organ: Organ, recipe: VolumesExperimentRecipe, progress: Progress
    ) -> None:
        self.folder, self.organ, self.recipe, self.progress = folder, organ, recipe, progress
        self.own = recipe.of(organ)
        self._notes: dict[str, Any] = {}
        every: dict[str, tuple[Callable[[], None], Callable[[], dict[str, Figure]]]] = {
            "phantoms": (self._phantoms, dict),
            "fit": (self._fit, self._reconstruction),
            "gaussian fit": (self._gaussian, self._gaussian_figures),
            "generate": (self._generate, dict),
            "samplers": (self._samplers, dict),
            "fidelity": (lambda: None, self._fidelity),
            "audit": (self._audit, self._audit_figures),
            "teaching": (self._transfer, self._transfer_figures),
            "control": (self._control, self._control_figures),
        }
        if not recipe.gaussian:
            del every["gaussian fit"]
        if not recipe.samplers:
            del every["samplers"]
        if not recipe.control_cases:
            del every["control"]
        self.stages = {stage: partial(self._do, *both) for stage, both in every.items()}

    def _do(self, work: Callable[[], None], measure: Callable[[], dict[str, Figure]]) -> Measured:
        """Work through a stage and measure what it made."""
        work()
        self._notes = {}
        return measure(), self._notes

    def _cohort(self, name: str, labelled: bool = True) -> Cohort:
        return Cohort.open(self.folder / name, labelled)

    def _phantoms(self) -> None:
        recipe = self.recipe
        for name, count, seed, split in (
            ("real", recipe.cases, recipe.seed, ""),
            ("unseen", 2 * recipe.test_cases, recipe.seed + 1000, "test"),
        ):
            write_gridded(
                self.organ, self.folder / name, count, seed, self.own.shape, split,
                recipe.workers, self.progress,
            )  # fmt: skip

    def _method(self, bottleneck: str = "codebook") -> VolumesRecipe:
        return self.recipe.synthesis.changed(
            attributes=(self.own.attribute,), seed=self.recipe.seed, bottleneck=bottleneck
        )

    def _fit(self) -> None:
        reading = Reading(self.progress)
        prepared = prepare(Volumes(), self.folder / "real", self._method(), reading)
        fit(prepared, self.folder / "run", self.progress)

    @property
    def _run(self) -> Run:
        return Run.open(self.folder / "run", VolumesRecipe)

    def _reconstruction(self) -> dict[str, Figure]:
        return _reconstruction_figures(self._run, "reconstruction")

    def _gaussian(self) -> None:
        reading, recipe = Reading(self.progress), self._method("gaussian")
        prepared = prepare(Volumes(), self.folder / "real", recipe, reading)
        run = fit(prepared, self.folder / GAUSSIAN_FIT, self.progress)
        self._sample(VolumesPipeline(run), "drawn-gaussian", [{}] * self.recipe.test_cases)

    def _gaussian_figures(self) -> dict[str, Figure]:
        run = Run.open(self.folder / GAUSSIAN_FIT, VolumesRecipe)
        return _reconstruction_figures(run, "reconstruction_gaussian")

    def _generate(self) -> None:
        self._sample(VolumesPipeline(self._run), "drawn", [{}] * self.recipe.synthetic_cases)

    def _sample(
        self, pipeline: VolumesPipeline, name: str, targets: Sequence[Mapping[str, float]],
        seed: int | None = None,
    ) -> Cohort:  # fmt: skip
        """Generate a cohort into a folder of this name, of the experiment's seed unless told."""
        requested = sorted({attribute for target in targets for attribute in target})
        requests = case_requests(pipeline.run, targets, self.recipe.seed if seed is None else seed)
        sampler = VolumesSampler(pipeline, requested)
        return sample_cohort(sampler, requests, self.folder / name, progress=self.progress).cohort

    def _samplers(self) -> None:
        guidance = self.recipe.synthesis.guidance
        for name, steps in self.recipe.samplers:
            pipeline = VolumesPipeline(self._run, Sampling(name, steps, guidance))
            self._sample(pipeline, f"drawn-{name}-{steps}", [{}] * self.recipe.sampler_cases)

    def _fidelity(self) -> dict[str, Figure]:
        recipe, seen = self.recipe, self._run.fingerprint
        both = 2 * recipe.test_cases

        def evaluation_set(name: str, count: int) -> EvaluationSet:
            return EvaluationSet(self._cohort(name, False), seen, count, name, self.progress)

        real, generated = (
            evaluation_set("unseen", both),
            evaluation_set("drawn", recipe.synthetic_cases),
        )
        extract = lite0_features().pooled
        sets = {"fid": generated.features(extract)}
        sets["fid_reconstructed"] = real.reconstructed(self._run).features(extract)
        if recipe.gaussian:
            name = "drawn-gaussian"
            sets["fid_gaussian"] = evaluation_set(name, recipe.test_cases).features(extract)
        own = sampling_of(self._method())
        figures: dict[str, Figure] = {}
        for sampler, steps in ((own.sampler, own.steps), *recipe.samplers):
            figures[f"seconds/volume_{sampler}_{steps}"] = self._pace(
                Sampling(sampler, steps, own.guidance)
            )
            if (sampler, steps) in recipe.samplers:
                name = f"drawn-{sampler}-{steps}"
                rows = evaluation_set(name, recipe.sampler_cases).features(extract)
                sets[f"fid_{sampler}_{steps}"] = rows
        figures |= frechet_figures(real.features(extract), sets)
        figures |= similarity_figures(real, generated, seen.spacing_mm, recipe.seed)
        distances, why = radiomics_figures(real, generated, recipe.radiomics_cases, recipe.seed)
        self._notes["radiomics"] = why or "taken"
        return figures | distances

    def _pace(self, sampling: Sampling) -> Figure:
        """Seconds a volume takes, drawn one by one."""
        pipeline = VolumesPipeline(self._run, sampling)
        pipeline.volume(0)
        seconds = []
        for seed in range(3):
            start = perf_counter()
            pipeline.volume(seed)
            seconds.append(perf_counter() - start)
        return mean_figure(np.array(seconds), "s")

    def _audit(self) -> None:
        audit(
            self._fitted(), self._cohort("drawn", False), self._cohort("unseen"),
            self.folder / "audit", self.progress,
        )  # fmt: skip

    def _fitted(self) -> Cohort:
        """The cases that the autoencoder and the denoiser saw."""
        real = self._cohort("real")
        names = set(json.loads((self._run.folder / "split.json").read_text())["fitted"])
        kept = tuple(case for case in real.cases if case.name in names)
        return Cohort(real.folder, real.description, kept, ())

    def _audit_figures(self) -> dict[str, Figure]:
        found = Results.read(self.folder / "audit")
        self._notes["withhold"] = found.notes["withhold"]
        return found.figures

    def _transferred(self) -> Transfer:
        return Transfer(
            self.folder, self.recipe, self.own, self._cohort("real"),
            self._cohort("drawn", False), self._cohort("unseen"), self.progress,
        )  # fmt: skip

    def _transfer(self) -> None:
        self._transferred().run()

    def _transfer_figures(self) -> dict[str, Figure]:
        transfer = self._transferred()
        self._notes |= {
            "longer_by_steps": transfer.longer_by,
            "primary_fraction": self.recipe.primary,
            "labelled_cases": self.recipe.labelled_cases,
            "fine_tuning_steps": self.recipe.segmenter.fit.steps,
            "targets": list(self.own.targets),
        }
        return transfer_figures(transfer.table, self.recipe)

    def _control(self) -> None:
        """Volumes asked for an attribute, which a segmenter of all real label maps measures."""
        run = self._run
        seen = run.fingerprint.attribute(self.own.attribute)
        requested = even_requests(
            {seen.name: (seen.low, seen.high)}, self.recipe.control_cases, self.recipe.seed
        )
        generated = self._sample(VolumesPipeline(run), "control", requested, self.recipe.seed + 1)
        recipe = SegmentationRecipe(
            seed=self.recipe.seed, spacing_mm=self.own.working_mm,
            segmenter=self.recipe.segmenter.changed(mirror=self.own.mirror),
        )  # fmt: skip
        ready = prepare(Segmentation(), self.folder / "real", recipe, Reading(self.progress))
        segmenter = fit(ready, self.folder / "segmenter", self.progress)
        measure_control(
            self.folder / "control.csv", SegmentationPipeline(segmenter), generated,
            self._cohort("unseen"), seen.attribute, self.progress,
        )  # fmt: skip

    def _control_figures(self) -> dict[str, Figure]:
        self._notes["attribute"] = self.own.attribute
        return read_control(self.folder / "control.csv")


def _reconstruction_figures(run: Run, name: str) -> dict[str, Figure]:
    """PSNR and SSIM of held-out volumes, and use of the codebook if there is one."""
    back = reconstruction_of(run)
    found = {
        f"{name}/psnr": mean_figure(np.array(back.psnr), "dB"),
        f"{name}/ssim": mean_figure(np.array(back.ssim), ""),
    }
    recipe = run.recipe
    assert isinstance(recipe, VolumesRecipe)
    if recipe.bottleneck == "codebook":
        count = len(back.psnr)
        found[f"{name}/codes_used"] = Figure(back.codes_used, "", count)
        found[f"{name}/perplexity"] = Figure(back.perplexity, "codes", count)
    return found
