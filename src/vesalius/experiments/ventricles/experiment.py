"""The experiment of guided synthesis: can generated scans mend a cohort that lacks large
ventricles?

The arms and the test on unseen patients with enlarged ventricles follow Ruschke et al. 2024
(arXiv 2411.01351); the control of resampled real cases and the audits are added.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from vesalius.anatomy.attributes import attribute_values, case_values
from vesalius.evidence.control import control_figures, share_of_draws
from vesalius.evidence.copies import CopySearch
from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import proportion
from vesalius.evidence.results import Results
from vesalius.experiments.measured_control import measure_control, read_control
from vesalius.experiments.prespecified import Prespecified
from vesalius.experiments.prove import ProveRecipe, prove
from vesalius.experiments.runner import Experiment, Stage, run_experiment
from vesalius.experiments.ventricles.prespecified import prespecified
from vesalius.experiments.ventricles.published import published_guidance
from vesalius.experiments.ventricles.realism import brain_realism
from vesalius.experiments.ventricles.recipe import VentriclesRecipe
from vesalius.methods.guided import recipe as guided
from vesalius.methods.guided.method import Guided
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.sampling import GuidedSampler
from vesalius.methods.segmentation.method import Segmentation
from vesalius.methods.segmentation.pipeline import SegmentationPipeline
from vesalius.methods.segmentation.recipe import SegmentationRecipe
from vesalius.phantoms.brain import ATTRIBUTE
from vesalius.phantoms.cohorts.organs import write_brains
from vesalius.sampling.cohort import sample_cohort
from vesalius.sampling.rejection import CaseRequest, Draw, case_requests, first_draws
from vesalius.scans.cohort import Cohort, update_table
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.computing import chosen_workers
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.split import split_by_subject
from vesalius.scans.writing import write_text
from vesalius.training.fit import fit, prepare
from vesalius.training.method import Reading
from vesalius.training.requests import even_requests, missing_values, subsample
from vesalius.training.run import Run
from vesalius.training.seeds import seed_for

STRIP_ML = (20.0, 40.0, 80.0, 160.0)
STRATA_ML = (0.0, 30.0, 60.0, 90.0, 120.0, 400.0)
TRIES = 20


def run_ventricles(
    out: str | Path,
    recipe: VentriclesRecipe,
    progress: Progress = no_progress,
    finished: Callable[[str], None] = lambda name: None,
) -> Results:
    """Run the experiment, or go on with one that was killed, and write `results.json`.

    Args:
        out: folder; `real/`, `unseen/`, `run/`, `control/`, `balanced/`, `strip/` and `proof/`
            appear in it.
        recipe: settings.
        progress: called after each case and step.
        finished: called after each stage, for whoever wants to look early.
    """
    results = Results("ventricles", recipe.preset, recipe.seed, True, {}, {})
    subjects = {"": partial(_Ventricles, recipe=recipe, progress=progress, finished=finished)}
    return run_experiment(results, out, recipe.digest, subjects, finished)


class _Ventricles(Experiment[VentriclesRecipe]):
    """Brains balanced by guided synthesis, and what that is worth for large ventricles."""

    def __init__(
        self, folder: Path, recipe: VentriclesRecipe, progress: Progress,
        finished: Callable[[str], None],
    ) -> None:  # fmt: skip
        super().__init__(folder, recipe, progress)
        self._finished = finished

    @property
    def prespecified(self) -> Prespecified:
        """By the recipe."""
        return prespecified(self.recipe)

    def stages(self) -> dict[str, Stage]:
        """From phantoms to proof."""
        return {
            "phantoms": self._phantoms, "fit": self._fit, "control": self._control,
            "balance": self._balance, "strip": self._strip, "unseen phantoms": self._unseen,
            **({"image control": self._image_control} if self.recipe.judging_cases else {}),
            **({"published guidance": self._published} if self.recipe.published_cases else {}),
            "realism": self._realism, "proof": self._proof,
            **({"nnU-Net": self._nnunet} if self.recipe.nnunet else {}),
        }  # fmt: skip

    @property
    def _run(self) -> Run:
        return Run.open(self.folder / "run", guided.GuidedRecipe)

    def _phantoms(self) -> None:
        recipe = self.recipe
        cohort = write_brains(
            self.folder / "real", recipe.cases, recipe.seed, recipe.spacing_mm,
            workers=chosen_workers(recipe.workers), progress=self.progress,
        )  # fmt: skip
        write_split(cohort, {"train": 0.9, "val": 0.1}, recipe.seed)

    def _unseen(self) -> None:
        recipe = self.recipe
        write_brains(
            self.folder / "unseen", recipe.test_cases, recipe.seed + 1, recipe.spacing_mm,
            recipe.test_range_ml, split="test", workers=chosen_workers(recipe.workers),
            progress=self.progress,
        )  # fmt: skip

    def _fit(self) -> None:
        recipe, reading = self.recipe, Reading(self.progress)
        prepared = prepare(Guided(), self.cohort("real"), recipe.synthesis, reading)
        run = fit(prepared, self.folder / "run", self.progress)
        seen = run.fingerprint.attribute(ATTRIBUTE)
        self.notes |= {
            "seen_ml": [seen.low, seen.high],
            "extrapolated": [ml for ml in recipe.wanted_ml if not seen.holds(ml)],
            "label_autoencoder": prepared.data.recipe.label_autoencoder,
            "run": run.name,
        }

    def _control(self) -> dict[str, Figure]:
        """Requested against measured, at every scale of guidance, and with rejection."""
        recipe, run = self.recipe, self._run
        targets = even_requests({ATTRIBUTE: recipe.wanted_ml}, recipe.control_cases, recipe.seed)
        first = case_requests(run, targets, recipe.seed)
        for scale in recipe.guidance_scales:
            pipeline = GuidedPipeline(run, scale, calibrated=False)
            draws = first_draws(GuidedSampler(pipeline), first, self.progress)
            write_draws(draws, self.folder / f"control_guidance_{scale:g}.csv")
        sampler = GuidedSampler(GuidedPipeline(run))
        once = first_draws(sampler, first, self.progress)
        write_draws(once, self.folder / "control_once.csv")
        control = self.folder / "control"
        generated = sample_cohort(sampler, first, control, TRIES, progress=self.progress)
        write_draws(generated.draws, self.folder / "control.csv")
        return _control_figures(self.folder, recipe)

    def _image_control(self) -> dict[str, Figure]:
        """First draws, measured on their images by a segmenter that learnt from other cases."""
        recipe, run, attribute = self.recipe, self._run, self._run.fingerprint.attribute(ATTRIBUTE)
        others = write_brains(
            self.folder / "judging", recipe.judging_cases, recipe.seed + 4, recipe.spacing_mm,
            recipe.wanted_ml, workers=chosen_workers(recipe.workers), progress=self.progress,
        )  # fmt: skip
        judge = SegmentationRecipe(seed=recipe.seed, segmenter=recipe.segmenter)
        ready = prepare(Segmentation(), others.folder, judge, Reading(self.progress))
        segmenter = fit(ready, self.folder / "segmenter", self.progress)
        targets = even_requests({ATTRIBUTE: recipe.wanted_ml}, recipe.control_cases, recipe.seed)
        generated = generate_first(
            GuidedSampler(GuidedPipeline(run)), case_requests(run, targets, recipe.seed),
            self.folder / "first", self.progress,
        )  # fmt: skip
        measure_control(
            self.folder / "control_images.csv", SegmentationPipeline(segmenter),
            {"images": (generated, f"requested_{ATTRIBUTE}"),
             "images_unseen": (self.cohort("unseen"), ATTRIBUTE)},
            attribute.attribute, self.progress,
        )  # fmt: skip
        return read_control(self.folder / "control_images.csv")

    def _balance(self) -> dict[str, Figure]:
        """What brings the training cases up to uniform, none of it a copy by the audit."""
        recipe, run, real = self.recipe, self._run, self.cohort("real")
        present = case_values(real, ATTRIBUTE, real.of_split("train"))
        targets = missing_values(present, ATTRIBUTE, *recipe.wanted_ml, recipe.seed)
        targets = subsample(targets, recipe.synthetic_cases, recipe.seed)
        gate = partial(CopySearch.of, real, True, self.progress)
        generated = sample_cohort(
            GuidedSampler(GuidedPipeline(run)), case_requests(run, targets, recipe.seed + 1),
            self.folder / "balanced", TRIES, gate, progress=self.progress,
        )  # fmt: skip
        write_draws(generated.draws, self.folder / "balanced.csv")
        return {"sampling/copies_rejected": generated.figures["copies_rejected"]}

    def _strip(self) -> None:
        low, high = self.recipe.wanted_ml
        volumes_ml = [ml for ml in STRIP_ML if low <= ml <= high]
        one_seed(self._run, self.folder / "strip", volumes_ml, self.recipe.seed)

    def _realism(self) -> dict[str, Figure]:
        """Generated brains beside unseen ones of the same kind as the cohort."""
        recipe, real = self.recipe, self.cohort("real")
        if not recipe.realism_cases:
            return {}
        reference = write_brains(
            self.folder / "reference", 2 * recipe.realism_cases, recipe.seed + 2,
            recipe.spacing_mm, split="test", workers=chosen_workers(recipe.workers),
            progress=self.progress,
        )  # fmt: skip
        present = case_values(real, ATTRIBUTE, real.of_split("train"))
        return brain_realism(self._run, reference, present, self.folder, recipe, self.progress)

    def _proof(self) -> dict[str, Figure]:
        recipe = self.recipe
        proof = ProveRecipe(
            preset=recipe.preset, attribute=ATTRIBUTE, seed=recipe.seed,
            segmenter=recipe.segmenter, strata=STRATA_ML, arms=recipe.arms, seeds=recipe.arm_seeds,
            synthseg_longer=recipe.synthseg_longer, curve=recipe.curve,
        )  # fmt: skip
        result = prove(
            self.cohort("real"), self.cohort("balanced"), self.cohort("unseen"),
            self.folder / "proof", proof, self.progress, self._finished,
        )  # fmt: skip
        self.notes |= {k: note for k, note in result.notes.items() if k != "prespecified"}
        return result.figures

    def _published(self) -> dict[str, Figure]:
        return published_guidance(self.folder / "published", self.recipe, self.progress)

    def _nnunet(self) -> dict[str, Figure]:
        """The same question asked of nnU-Net v2, trained once on each of some arms."""
        recipe = self.recipe
        assert recipe.nnunet is not None
        proof = ProveRecipe(
            preset=recipe.preset, attribute=ATTRIBUTE, seed=recipe.seed, segmenter=recipe.nnunet,
            strata=STRATA_ML, arms=recipe.nnunet_arms,
        )  # fmt: skip
        result = prove(
            self.cohort("real"), self.cohort("balanced"), self.cohort("unseen"),
            self.folder / "proof-nnunet", proof, self.progress, self._finished,
        )  # fmt: skip
        return {
            f"nnunet/{name}": figure
            for name, figure in result.figures.items() if name.startswith("utility/")
        }  # fmt: skip


def write_split(cohort: Cohort, shares: dict[str, float], seed: int) -> Cohort:
    """Write a split by subject into `cases.csv` of a cohort."""
    placed = split_by_subject(cohort.cases, shares, seed)
    update_table(cohort, {"split": {case.name: case.split for case in placed}})
    return Cohort(cohort.folder, cohort.description, placed, cohort.faults)


def generate_first(
    sampler: GuidedSampler, requests: Sequence[CaseRequest], out: Path, progress: Progress
) -> Cohort:
    """The first candidate of each request as a cohort, whatever it measures."""
    run, columns = sampler.run, [ATTRIBUTE, f"requested_{ATTRIBUTE}"]
    made = {"command": "first draws", "run": run.name, "requests": len(requests)}
    with CohortWriter(out, run.fingerprint.description, columns, made) as writer:
        for request in track(requests, "generating first draws", len(requests), progress):
            if request.name in writer.done:
                continue  # of a killed process
            first = next(sampler.candidates(request))
            values = dict(first.measured) | {f"requested_{ATTRIBUTE}": request.target[ATTRIBUTE]}
            writer.add(
                request.name, first.finish().scan, request.name, values,
                provenance={"synthetic": True, "run": run.name, "seed": request.seed,
                            "request": dict(request.target), "measured": dict(first.measured),
                            "parent": None},
            )  # fmt: skip
        return writer.finish()


def one_seed(run: Run, out: Path, volumes_ml: Sequence[float], seed: int) -> None:
    """The same patient at several volumes: one noise for labels and one for the image."""
    pipeline = GuidedPipeline(run)
    made = {"command": "one seed", "run": run.name, "seed": seed}
    with CohortWriter(out, run.fingerprint.description, [ATTRIBUTE], made) as writer:
        for ml in volumes_ml:
            label_map = pipeline.label_map([ml], seed_for(seed, "strip"))
            scan = pipeline.image(label_map, seed_for(seed, "strip image"))
            attribute = run.fingerprint.attribute(ATTRIBUTE).attribute
            measured = attribute_values([attribute], label_map, run.fingerprint.labels)
            writer.add(
                f"strip_{ml:03.0f}", scan, f"strip-{seed}", measured,
                provenance={"synthetic": True, "run": run.name, "seed": seed,
                            "request": {ATTRIBUTE: ml}, "measured": measured, "parent": None},
            )  # fmt: skip
        writer.finish()


def write_draws(draws: Sequence[Draw], path: Path) -> None:
    """Every draw with its request, its measurement and whether it was taken."""
    lines = ["case,attempt,attribute,requested,measured,accepted,copy"]
    for draw in draws:
        for name, requested in draw.requested.items():
            row = asdict(draw)
            measured = draw.measured[name]
            lines.append(
                f"{row['case']},{row['attempt']},{name},{requested:.6g},{measured:.6g},"
                f"{int(draw.accepted)},{int(draw.copy)}"
            )
    write_text(path, "\n".join(lines) + "\n")


def read_draws(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Requested, measured and whether accepted, each `(N,)`, and the request, of every draw."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return (
        np.array([float(row["requested"]) for row in rows]),
        np.array([float(row["measured"]) for row in rows]),
        np.array([row["accepted"] == "1" for row in rows]),
        [row["case"] for row in rows],
    )


def _control_figures(folder: Path, recipe: VentriclesRecipe) -> dict[str, Figure]:
    """Control after the loop, at the first draw, and uncalibrated at each scale of guidance."""
    requested, measured, accepted, cases = read_draws(folder / "control.csv")
    result = {
        f"control/{k}": v
        for k, v in control_figures(requested[accepted], measured[accepted], "mL").items()
    }
    result["control/acceptance"] = share_of_draws(cases, accepted.tolist())
    result["control/met"] = proportion(accepted.sum(), recipe.control_cases, "requests")
    for name in ("once", *(f"guidance_{scale:g}" for scale in recipe.guidance_scales)):
        requested, measured, met, cases = read_draws(folder / f"control_{name}.csv")
        own = control_figures(requested, measured, "mL")
        result |= {f"control/{name}/{k}": v for k, v in own.items()}
        result[f"control/{name}/acceptance"] = share_of_draws(cases, met.tolist())
    return result
