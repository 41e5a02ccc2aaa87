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

import numpy as np

from vesalius.evidence.audit import audit
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import mean_figure
from vesalius.evidence.results import Results
from vesalius.experiments.measured_control import measure_control, read_control
from vesalius.experiments.prespecified import Prespecified
from vesalius.experiments.runner import Experiment, Stage, run_experiment
from vesalius.experiments.volumes.fidelity import (
    EvaluationSet,
    frechet_figures,
    radiomics_figures,
    realism_of,
    similarity_figures,
)
from vesalius.experiments.volumes.prespecified import prespecified
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
from vesalius.methods.volumes.recipe import Kind, VolumesRecipe, with_codes
from vesalius.methods.volumes.sampling import VolumesSampler
from vesalius.networks.picture_features import lite0_features
from vesalius.phantoms.cohorts.organs import write_gridded
from vesalius.sampling.cohort import sample_cohort
from vesalius.sampling.rejection import case_requests
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import chosen_workers
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.fit import fit, prepare
from vesalius.training.method import Reading
from vesalius.training.requests import even_requests
from vesalius.training.run import Run


def run_volumes(
    out: str | Path,
    recipe: VolumesExperimentRecipe,
    progress: Progress = no_progress,
    finished: Callable[[str], None] = lambda name: None,
) -> Results:
    """Run the experiment, or go on with one that was killed, and write `results.json`.

    Args:
        out: folder; for each organ `real/`, `unseen/`, `held-out/`, `run/`, `drawn/`, `audit/` and
            `transfer/` appear in a folder of its name.
        recipe: settings.
        progress: called after each case and step.
        finished: called after each stage.
    """
    alike = recipe.changed(organs=())  # a folder may be given another organ later
    results = Results("volumes", recipe.preset, recipe.seed, True, {}, {})
    subjects: dict[str, Callable[[Path], Experiment]] = {
        organ: partial(_OrganExperiment, organ=organ, recipe=recipe, progress=progress)
        for organ in recipe.organs
    }
    return run_experiment(results, out, alike.digest, subjects, finished)


class _OrganExperiment(Experiment[VolumesExperimentRecipe]):
    """One organ."""

    def __init__(
        self, folder: Path, organ: Organ, recipe: VolumesExperimentRecipe, progress: Progress
    ) -> None:
        super().__init__(folder, recipe, progress)
        self.organ, self.own = organ, recipe.of(organ)

    @property
    def prespecified(self) -> Prespecified:
        """By the recipe."""
        return prespecified(self.organ, self.recipe)

    def stages(self) -> dict[str, Stage]:
        """From phantoms to transfer and control."""
        recipe = self.recipe
        return {
            "phantoms": self._phantoms,
            "fit": self._fit,
            **{f"{kind} fit": partial(self._rival, kind) for kind in recipe.rivals},
            "generate": self._generate,
            "unseen phantoms": self._unseen,
            **({"samplers": self._samplers} if recipe.samplers else {}),
            "fidelity": self._fidelity,
            "audit": self._audit,
            "transfer": self._transfer,
            **({"control": self._control} if recipe.control_cases else {}),
        }

    def _phantoms(self) -> None:
        self._write("real", self.recipe.cases, self.recipe.seed)

    def _unseen(self) -> None:
        self._write("unseen", 2 * self.recipe.test_cases, self.recipe.seed + 1000, "test")

    def _write(self, name: str, count: int, seed: int, split: str = "") -> None:
        """A cohort of phantoms."""
        write_gridded(
            self.organ, self.folder / name, count, seed, self.own.shape, split,
            chosen_workers(self.recipe.workers), self.progress,
        )  # fmt: skip

    def _method(self, kind: Kind | None = None) -> VolumesRecipe:
        recipe = self.recipe.synthesis
        own = with_codes(recipe, kind or recipe.bottleneck).changed(
            attributes=(self.own.attribute,), seed=self.recipe.seed, mirror=self.own.mirror
        )
        if self.own.code_channels is not None and own.bottleneck == recipe.bottleneck:
            own = own.changed(code_channels=self.own.code_channels)
        if self.own.steps is None:
            return own
        share = self.own.steps / recipe.fit_denoiser.steps
        fit = own.fit_denoiser
        return own.changed(fit_denoiser=fit.changed(steps=max(1, round(share * fit.steps))))

    def _fit(self) -> dict[str, Figure]:
        reading = Reading(self.progress)
        prepared = prepare(Volumes(), self.folder / "real", self._method(), reading)
        run = fit(prepared, self.folder / "run", self.progress)
        return _reconstruction_figures(run, "reconstruction")

    @property
    def _run(self) -> Run:
        return Run.open(self.folder / "run", VolumesRecipe)

    def _rival(self, kind: Kind) -> dict[str, Figure]:
        """The same method on codes of another kind, and volumes of it."""
        prepared = prepare(
            Volumes(), self.folder / "real", self._method(kind), Reading(self.progress)
        )
        run = fit(prepared, self.folder / f"run-{kind}", self.progress)
        self._sample(VolumesPipeline(run), f"generated-{kind}", [{}] * self.recipe.test_cases)
        return _reconstruction_figures(run, f"reconstruction_{kind}")

    def _generate(self) -> None:
        self._sample(VolumesPipeline(self._run), "generated", [{}] * self.recipe.synthetic_cases)

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
            self._sample(pipeline, f"generated-{name}-{steps}", [{}] * self.recipe.sampler_cases)

    def _fidelity(self) -> dict[str, Figure]:
        recipe, seen = self.recipe, self._run.fingerprint
        both = 2 * recipe.test_cases

        def evaluation_set(name: str, count: int) -> EvaluationSet:
            return EvaluationSet(self.cohort(name, False), seen, count, name, self.progress)

        real, generated = (
            evaluation_set("unseen", both),
            evaluation_set("generated", recipe.synthetic_cases),
        )
        extract = lite0_features().pooled
        sets = {"fid": generated.features(extract)}
        pipeline = VolumesPipeline(self._run)
        sets["fid_reconstructed"] = real.reconstructed(pipeline).features(extract)
        if pipeline.detail is not None:
            alone = real.reconstructed(pipeline.of_codes_alone())
            sets["fid_codes"] = alone.features(extract)
        for kind in recipe.rivals:
            other = evaluation_set(f"generated-{kind}", recipe.test_cases)
            sets[f"fid_{kind}"] = other.features(extract)
        self.notes["codes"] = recipe.synthesis.bottleneck
        own = sampling_of(self._method())
        figures: dict[str, Figure] = {}
        for sampler, steps in ((own.sampler, own.steps), *recipe.samplers):
            figures[f"seconds/volume_{sampler}_{steps}"] = self._pace(
                Sampling(sampler, steps, own.guidance)
            )
            if (sampler, steps) in recipe.samplers:
                name = f"generated-{sampler}-{steps}"
                rows = evaluation_set(name, recipe.sampler_cases).features(extract)
                sets[f"fid_{sampler}_{steps}"] = rows
        figures |= frechet_figures(real.features(extract), sets)
        figures |= similarity_figures(real, generated, seen.spacing_mm, recipe.seed)
        figures |= realism_of(real, generated, extract, recipe.seed, recipe.judge, self.progress)
        distances, why = radiomics_figures(real, generated, recipe.radiomics_cases, recipe.seed)
        self.notes["radiomics"] = why or "taken"
        return figures | distances

    def _pace(self, sampling: Sampling) -> Figure:
        """Seconds a volume takes, generated one by one."""
        pipeline = VolumesPipeline(self._run, sampling)
        pipeline.volume(0)
        seconds = []
        for seed in range(3):
            start = perf_counter()
            pipeline.volume(seed)
            seconds.append(perf_counter() - start)
        return mean_figure(np.array(seconds), "s", "volumes")

    def _audit(self) -> dict[str, Figure]:
        result = audit(
            self._fitted(), self.cohort("generated", False), self.cohort("unseen"),
            self.folder / "audit", self.progress,
        ).results  # fmt: skip
        self.notes["withhold"] = result.notes["withhold"]
        return result.figures

    def _fitted(self) -> Cohort:
        """The cases that the autoencoder and the denoiser saw."""
        real = self.cohort("real")
        names = set(
            json.loads((self._run.folder / "split.json").read_text(encoding="utf-8"))["fitted"]
        )
        kept = tuple(case for case in real.cases if case.name in names)
        return Cohort(real.folder, real.description, kept, ())

    def _transfer(self) -> dict[str, Figure]:
        transfer = Transfer(
            self.folder, self.recipe, self.own, self.cohort("real"),
            self.cohort("generated", False), self.cohort("unseen"), self.progress,
        )  # fmt: skip
        transfer.run()
        self.notes |= {
            "longer_by_steps": transfer.longer_by,
            "primary_fraction": self.recipe.primary,
            "labelled_cases": self.recipe.labelled_cases,
            "fine_tuning_steps": self.recipe.segmenter.fit.steps,
            "targets": list(self.own.targets),
        }
        return transfer_figures(transfer.table, self.recipe)

    def _control(self) -> dict[str, Figure]:
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
            self.folder / "control.csv", SegmentationPipeline(segmenter),
            {"drawn": (generated, f"requested_{seen.name}"),
             "unseen": (self.cohort("unseen"), seen.name)},
            seen.attribute, self.progress,
        )  # fmt: skip
        self.notes["attribute"] = self.own.attribute
        return read_control(self.folder / "control.csv")


def _reconstruction_figures(run: Run, name: str) -> dict[str, Figure]:
    """PSNR and SSIM of held-out volumes, and use of the codebook if there is one."""
    back = reconstruction_of(run)
    result = {
        f"{name}/psnr": mean_figure(np.array(back.psnr), "dB", "cases"),
        f"{name}/ssim": mean_figure(np.array(back.ssim), "", "cases"),
    }
    recipe = run.recipe
    assert isinstance(recipe, VolumesRecipe)
    if recipe.bottleneck == "codebook":
        count = len(back.psnr)
        result[f"{name}/codes_used"] = counted(back.codes_used, "codes", count, "cases")
        result[f"{name}/perplexity"] = counted(
            back.perplexity, "codes", count, "cases", "of all codes together"
        )
    return result
