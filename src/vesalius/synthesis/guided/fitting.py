"""The order of a fit: read, measure, plan, then four networks one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vesalius.networks.label_vae import LabelVae
from vesalius.networks.shape_space import ShapeSpace
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.grid import fit_grid
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.split import fitting_split
from vesalius.synthesis.guided.closed_loop import calibrate
from vesalius.synthesis.guided.model import GuidedModel, condition_of
from vesalius.synthesis.guided.objectives import (
    ImageAutoencoderObjective,
    ImageDenoiserObjective,
    LabelDenoiserObjective,
    LabelVaeObjective,
)
from vesalius.synthesis.guided.planning import plan_guided
from vesalius.synthesis.guided.recipe import GuidedRecipe
from vesalius.training.device import fabric_for
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.loop import fit
from vesalius.training.plan import Plan
from vesalius.training.run import Run
from vesalius.training.store import CaseStore

FEWEST_CASES = 8
"""Below this no distribution can be told from its cases."""

TRAINING_CODES = "label_codes.npy"


@dataclass(frozen=True)
class PreparedFit:
    """A cohort that was read and measured, and the plan of its fit. Nothing is written yet.

    The first `fitted` cases are trained on, the others are held out.
    """

    recipe: GuidedRecipe
    fingerprint: Fingerprint
    plan: Plan
    cases: tuple[Case, ...]
    scans: tuple[LabelledScan, ...]
    fitted: int


def prepare_guided(
    cohort: Cohort,
    recipe: GuidedRecipe,
    progress: Progress = silent,
    faults: list[Fault] | None = None,
) -> PreparedFit:
    """Read the cohort, take its fingerprint and plan the fit.

    Cases marked `val` in `cases.csv` are held out for validation; without any, a share of the
    subjects is. Cases marked `test`, and synthetic ones, are not touched.

    Args:
        cohort: labelled scans.
        recipe: settings.
        progress: told after each case.
        faults: those of cases that were left out are added.

    Raises:
        Refused: for too few cases, an attribute that cannot be measured or does not vary, or a plan
            that does not fit this machine.
    """
    training, held_out = fitting_split(cohort.cases, recipe.held_out, FEWEST_CASES, recipe.seed)
    sound, found = cohort.read_sound([*training, *held_out], progress)
    if faults is not None:
        faults += found
    cases, scans = [case for case, _ in sound], [scan for _, scan in sound]
    names = {case.name for case in training}
    fitted = sum(case.name in names for case in cases)
    if fitted < FEWEST_CASES:
        fault = f"has {fitted} sound training cases"
        raise Refused(cohort.folder, fault, f"add labelled scans: {FEWEST_CASES} is the least")
    grid = fit_grid(scans, recipe.spacing_mm, recipe.grid_multiple(fitted))
    fingerprint = Fingerprint.of(cohort, cases[:fitted], scans[:fitted], grid, recipe.attributes)
    plan = plan_guided(recipe, fingerprint)
    plan.require_room()
    return PreparedFit(recipe, fingerprint, plan, tuple(cases), tuple(scans), fitted)


def fit_guided(prepared: PreparedFit, out: str | Path, progress: Progress = silent) -> Run:
    """Fit guided synthesis, or go on with a fit that was killed.

    Args:
        prepared: what `prepare_guided` made of a cohort.
        out: folder of the run.
        progress: told after each case and step.

    Raises:
        Refused: if the folder holds another run, or for a loss that is not finite.
    """
    fingerprint, fitted = prepared.fingerprint, prepared.fitted
    run = Run.create(out, prepared.recipe, fingerprint)
    names = [case.name for case in prepared.cases]
    run.note("split", {"fitted": names[:fitted], "held_out": names[fitted:]})
    scans = followed(
        prepared.scans, "placing cases into one grid", len(prepared.scans), progress
    )  # fmt: skip
    fabric = fabric_for()
    with fabric.rank_zero_first():
        placed = (fingerprint.grid.place(scan) for scan in scans)
        store = CaseStore.write(run.state / "cohort", fingerprint, len(prepared.scans), placed)
    values = [
        [seen.attribute.of(scan.label_map, fingerprint.labels) for seen in fingerprint.attributes]
        for scan in prepared.scans
    ]
    conditions = condition_of(values, fingerprint.attributes)
    torch.manual_seed(prepared.recipe.seed)
    model = GuidedModel(prepared.recipe, fingerprint)
    fitting = _Fitting(run, model, store, conditions, fitted, progress)
    if model.kind == "shape_space":
        with fabric.rank_zero_first():
            fitting.label_autoencoder()
    else:
        fitting.label_autoencoder()
    fitting.label_denoiser()
    fitting.image_autoencoder()
    fitting.image_denoiser()
    if not (run.folder / "calibration.json").is_file():
        calibrate(run, prepared.scans[: min(12, fitted)], progress=progress)
    run.write_card(_card(run, model))
    fabric.barrier()
    if fabric.is_global_zero:
        run.finish()
    return run


class _Fitting:
    """The four fits, each skipped when its weights are there already."""

    def __init__(
        self, run: Run, model: GuidedModel, store: CaseStore, conditions: Tensor, fitted: int,
        progress: Progress,
    ) -> None:  # fmt: skip
        self.run, self.model, self.store, self.conditions = run, model, store, conditions
        self.fitted, self.progress = fitted, progress
        self.recipe = model.recipe

    def label_autoencoder(self) -> None:
        """A closed form for the shape space, steps for the VAE."""
        part, network = "label_autoencoder", self.model.label_autoencoder
        if self._done(part):
            return
        if isinstance(network, ShapeSpace):
            rows = (self.store.labels(torch.tensor([row]))[0].numpy() for row in range(self.fitted))
            codes = network.fit(
                followed(rows, "finding the shape space", self.fitted, self.progress)
            )
            np.save(self.run.state / TRAINING_CODES, codes.numpy())
        elif isinstance(network, LabelVae):
            objective = LabelVaeObjective(network, self.store, self.recipe.label_kl_weight)
            self._fit(objective, self.recipe.fit_label_autoencoder, part)
        self.run.save(part, self.model.part(part))

    def label_denoiser(self) -> None:
        """The normal distribution of the codes first, then what departs from it."""
        part, network = "label_denoiser", self.model.label_denoiser
        if self._done(part):
            return
        means, spreads = self._label_codes()
        training = means[: self.fitted]
        if network.prior is not None:
            network.prior.fit(training, self.conditions[: self.fitted])
        else:
            network.code_mean.copy_(training.mean())
            network.code_scale.copy_(training.std())
            means = (means - network.code_mean) / network.code_scale
            spreads = spreads / network.code_scale
        held_out = (means[self.fitted :], self.conditions[self.fitted :])
        objective = LabelDenoiserObjective(
            network, (means[: self.fitted], spreads[: self.fitted]),
            self.conditions[: self.fitted], held_out, self.recipe.drop_condition,
        )  # fmt: skip
        recipe = self.recipe.fit_label_denoiser
        if not len(held_out[0]):
            recipe = recipe.changed(validate_every=0)
        prior_only = objective.validation_loss() if len(held_out[0]) else None
        self._fit(objective, recipe, part)
        after = objective.validation_loss() if len(held_out[0]) else None
        self.run.note("label_denoiser", {"validation_loss_of_prior_alone": prior_only,
                                         "validation_loss": after})  # fmt: skip
        self.run.save(part, network)

    def image_autoencoder(self) -> None:
        """Images to codes and back."""
        part, network = "image_autoencoder", self.model.image_autoencoder
        if self._done(part):
            return
        objective = ImageAutoencoderObjective(
            network, self.store, self.recipe.image_crop, self.recipe.image_kl_weight
        )
        self._fit(objective, self.recipe.fit_image_autoencoder, part)
        self.run.save(part, network)

    def image_denoiser(self) -> None:
        """Codes of images, given their labels."""
        part, network = "image_denoiser", self.model.image_denoiser
        if self._done(part):
            return
        means, spreads = self._image_codes()
        axes = (0, 2, 3, 4)
        network.code_mean.copy_(means.mean(dim=axes, keepdim=True))
        variance = means.var(dim=axes, keepdim=True) + (spreads**2).mean(dim=axes, keepdim=True)
        network.code_scale.copy_(variance.sqrt())
        objective = ImageDenoiserObjective(network, (means, spreads), self.store)
        self._fit(objective, self.recipe.fit_image_denoiser, part)
        self.run.save(part, network)

    def _fit(self, objective: torch.nn.Module, recipe, part: str) -> None:  # type: ignore[no-untyped-def]
        fit(
            objective, self.fitted, recipe, self.recipe.seed, part, self.run.folder,
            fabric_for(recipe.precision), self.progress,
        )  # fmt: skip

    def _done(self, part: str) -> bool:
        if self.run.has(part):
            self.run.load(part, self.model.part(part))
            self.model.part(part).eval()
            return True
        return False

    def _label_codes(self) -> tuple[Tensor, Tensor]:
        """Codes of all cases, training cases first."""
        codes, kept = [], self.run.state / TRAINING_CODES
        if kept.is_file():
            known = torch.from_numpy(np.load(kept))
            codes.append((known, torch.zeros_like(known)))
        rows = range(self.fitted if codes else 0, len(self.store))
        for row in followed(rows, "coding labels", len(rows), self.progress):
            with torch.no_grad():
                labels = self.store.labels(torch.tensor([row]))
                codes.append(self.model.label_autoencoder.encode(labels))
        means, spreads = zip(*codes, strict=True)
        return torch.cat(means).cpu(), torch.cat(spreads).cpu()

    def _image_codes(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the image codes of the training cases."""
        fabric = fabric_for(self.recipe.fit_image_denoiser.precision)
        network = self.model.image_autoencoder.to(fabric.device).eval()
        codes = []
        for row in followed(range(self.fitted), "coding images", self.fitted, self.progress):
            image = self.store.images(torch.tensor([row])).to(fabric.device)
            with torch.no_grad(), fabric.autocast():
                codes.append([code.float().cpu() for code in network.encode(image)])
        means, spreads = zip(*codes, strict=True)
        return torch.cat(means), torch.cat(spreads)


def _card(run: Run, model: GuidedModel) -> list[str]:
    """The run's own description, for people."""
    seen = run.fingerprint
    phantom = "**Fitted on phantoms, not on patients.** " if seen.origin == "phantom" else ""
    kinds = {"shape_space": "linear shape space", "vae": "convolutional VAE"}
    lines = [
        f"# Run {run.name}: guided synthesis",
        "",
        f"{phantom}Fitted on {seen.cases} cases of {seen.subjects} subjects.",
        "",
        f"- channels: {', '.join(seen.channels)}",
        f"- labels: {', '.join(seen.labels)}",
        f"- grid: {' × '.join(map(str, seen.shape))} voxels of {seen.spacing_mm} mm",
        f"- label autoencoder: {kinds[model.kind]}",
        f"- preset {model.recipe.preset}, seed {model.recipe.seed}",
    ]
    for a in seen.attributes:
        lines.append(f"- {a.name}: seen from {a.low:.3g} to {a.high:.3g} {a.unit}".rstrip())
    return [
        *lines,
        "",
        "Not for diagnosis. What it draws lies within what it has seen; audit it for copies of its "
        "training cases with `vesalius prove` before it leaves the house.",
    ]
