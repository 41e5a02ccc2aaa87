"""The order of a fit: read, measure, plan, autoencoder, gate, codes, denoiser."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from vesalius.networks.picture_features import (
    PictureFeatures,
    features_from,
    lite0_features,
)
from vesalius.scans.case import Case, Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.grid import whole_grid
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.split import fitting_split
from vesalius.synthesis.volumes.grain import FILE as GRAIN_FILE
from vesalius.synthesis.volumes.grain import Grain, neighbour_axes
from vesalius.synthesis.volumes.model import VolumesModel
from vesalius.synthesis.volumes.objectives import AutoencoderObjective, CodeObjective
from vesalius.synthesis.volumes.planning import plan_volumes
from vesalius.synthesis.volumes.recipe import VolumesRecipe
from vesalius.synthesis.volumes.reconstruction import Reconstruction, reconstruct
from vesalius.training.device import fabric_for
from vesalius.training.fingerprint import Fingerprint, told_values
from vesalius.training.loop import fit
from vesalius.training.plan import Plan
from vesalius.training.recipe import FitRecipe
from vesalius.training.run import AGAIN, FORMAT, Run
from vesalius.training.store import CaseStore

GRAIN_CASES = 24
FEWEST_CASES = 8
"""Below this no distribution can be told from its cases."""


@dataclass(frozen=True)
class PreparedFit:
    """A cohort that was read and measured, and the plan of its fit. Nothing is written yet.

    The first `fitted` cases are trained on, the others are held out.
    """

    recipe: VolumesRecipe
    fingerprint: Fingerprint
    plan: Plan
    cases: tuple[Case, ...]
    scans: tuple[Scan, ...]
    conditions: tuple[dict[str, float], ...]
    fitted: int


def prepare_volumes(
    cohort: Cohort,
    recipe: VolumesRecipe,
    progress: Progress = silent,
    faults: list[Fault] | None = None,
) -> PreparedFit:
    """Read the images of a cohort, take its fingerprint and plan the fit.

    Cases marked `val` in `cases.csv` are held out for validation; without any, a share of the
    subjects is. Cases marked `test`, and synthetic ones, are not touched. Label maps are not needed
    and not looked at, but to measure attributes that `cases.csv` leaves out.

    Args:
        cohort: scans.
        recipe: settings.
        progress: told after each case.
        faults: those of cases that were left out are added.

    Raises:
        Refused: for too few cases, an attribute that cannot be learnt, a perceptual network that is
            not there, or a plan that does not fit this machine.
    """
    perceptual(recipe)
    training, held_out = fitting_split(cohort.cases, recipe.held_out, FEWEST_CASES, recipe.seed)
    sound, found = cohort.read_sound_images([*training, *held_out], progress)
    if faults is not None:
        faults += found
    cases, scans = [case for case, _ in sound], [scan for _, scan in sound]
    names = {case.name for case in training}
    fitted = sum(case.name in names for case in cases)
    if fitted < FEWEST_CASES:
        fault = f"has {fitted} sound training cases"
        raise Refused(cohort.folder, fault, f"add scans: {FEWEST_CASES} is the least")
    grid = whole_grid(scans, recipe.spacing_mm, max(recipe.downsampling))
    fingerprint = Fingerprint.of_images(
        cohort, cases[:fitted], scans[:fitted], grid, recipe.attributes
    )
    columns = {name: told_values(cohort, cases, name) for name in recipe.attributes}
    told = tuple(
        {name: float(values[row]) for name, values in columns.items()} for row in range(len(cases))
    )
    plan = plan_volumes(recipe, fingerprint)
    plan.require_room()
    return PreparedFit(recipe, fingerprint, plan, tuple(cases), tuple(scans), told, fitted)


def fit_volumes(prepared: PreparedFit, out: str | Path, progress: Progress = silent) -> Run:
    """Fit whole volumes, or go on with a fit that was killed.

    Args:
        prepared: what `prepare_volumes` made of a cohort.
        out: folder of the run.
        progress: told after each case and step.

    Raises:
        Refused: if the folder holds another run, for a loss that is not finite, or where volumes do
            not come back from the autoencoder well enough to go on; its weights are kept.
    """
    recipe, fingerprint, fitted = prepared.recipe, prepared.fingerprint, prepared.fitted
    run = Run.create(out, recipe, fingerprint)
    names = [case.name for case in prepared.cases]
    run.note("split", {"fitted": names[:fitted], "held_out": names[fitted:]})
    scans = followed(prepared.scans, "placing cases into one grid", len(names), progress)
    fabric = fabric_for()
    with fabric.rank_zero_first():
        placed = (fingerprint.grid.place_whole(scan) for scan in scans)
        store = CaseStore.write(
            run.state / "cohort", fingerprint, len(names), placed, labelled=False
        )
    torch.manual_seed(recipe.seed)
    model = VolumesModel(recipe, fingerprint)
    if _missing(run, "autoencoder", model.autoencoder):
        look = perceptual(recipe)
        if look is not None:
            look.to(fabric.device)
        objective = AutoencoderObjective(model.autoencoder, store, recipe, look, store.channels)
        _fit(objective, fitted, recipe.fit_autoencoder, "autoencoder", run, progress)
        run.save("autoencoder", model.autoencoder)
    unseen = range(fitted, len(names)) or range(fitted)
    back = reconstruct(model.autoencoder, store, unseen, len(names) > fitted, progress)
    run.note("reconstruction", asdict(back))
    back.require(recipe, run)
    if recipe.grain and Grain.of_run(run) is None:
        run.note(GRAIN_FILE, _grain(model, store, fitted, progress).model_dump())
    if _missing(run, "denoiser", model.denoiser):
        codes = _codes(model, store, fitted, progress)
        model.denoiser.learn_scale(codes, model.autoencoder.bottleneck)
        conditions = model.condition(prepared.conditions[:fitted])
        network = CodeObjective(
            model.denoiser, model.denoiser.scaled(codes), conditions, recipe.drop_condition
        )
        _fit(network, fitted, recipe.fit_denoiser, "denoiser", run, progress)
        run.save("denoiser", model.denoiser)
    run.write_card(_card(run, model, back))
    fabric.barrier()
    if fabric.is_global_zero:
        run.finish()
    return run


def perceptual(recipe: VolumesRecipe) -> PictureFeatures | None:
    """The network of the perceptual term, or `Refused` if it cannot be had."""
    if recipe.perceptual == "none" or recipe.perceptual_weight == 0:
        return None
    if recipe.perceptual == "lite0":
        return lite0_features()
    return features_from(Path(recipe.perceptual))


def reconstruction_of(run: Run) -> Reconstruction:
    """What the gate of a finished run found."""
    return read_json(run.folder / "reconstruction.json", TypeAdapter(Reconstruction), AGAIN, FORMAT)


def _fit(
    objective: nn.Module, cases: int, recipe: FitRecipe, part: str, run: Run, progress: Progress
) -> None:
    settings = run.recipe
    assert isinstance(settings, VolumesRecipe)
    fabric = fabric_for(recipe.precision)
    fit(objective, cases, recipe, settings.seed, part, run.folder, fabric, progress)


def _missing(run: Run, part: str, network: nn.Module) -> bool:
    """Whether a part must still be fitted; otherwise its weights are loaded."""
    if not run.has(part):
        return True
    run.load(part, network)
    network.eval()
    return False


def _grain(model: VolumesModel, store: CaseStore, fitted: int, progress: Progress) -> Grain:
    """The noise that some training volumes lost on their way through the autoencoder."""
    fabric = fabric_for("bf16-mixed")
    network = model.autoencoder.to(fabric.device).eval()
    rows = range(min(GRAIN_CASES, fitted))
    pairs = []
    for row in followed(rows, "measuring grain", len(rows), progress):
        image = store.images(torch.tensor([row]))
        with torch.no_grad(), fabric.autocast():
            back = network.decode_in_tiles(network.encode(image.to(fabric.device))).cpu()
        pairs.append((image[0].numpy(), back[0].float().numpy()))
    return Grain.of(pairs, neighbour_axes(model.fingerprint.spacing_mm))


def _codes(model: VolumesModel, store: CaseStore, fitted: int, progress: Progress) -> Tensor:
    """Codes before quantisation of the training cases `(N, K, D, H, W)`."""
    fabric = fabric_for("bf16-mixed")
    network = model.autoencoder.to(fabric.device).eval()
    codes = []
    for row in followed(range(fitted), "coding volumes", fitted, progress):
        with torch.no_grad(), fabric.autocast():
            codes.append(network.encode(store.images(torch.tensor([row])).to(fabric.device)).cpu())
    return torch.cat(codes)


def _card(run: Run, model: VolumesModel, back: Reconstruction) -> list[str]:
    """The run's own description, for people."""
    seen, recipe = run.fingerprint, model.recipe
    phantom = "**Fitted on phantoms, not on patients.** " if seen.origin == "phantom" else ""
    which = "held-out" if back.held_out else "training"
    lines = [
        f"# Run {run.name}: whole volumes",
        "",
        f"{phantom}Fitted on {seen.cases} cases of {seen.subjects} subjects.",
        "",
        f"- channels: {', '.join(seen.channels)}",
        f"- grid: {' × '.join(map(str, seen.shape))} voxels of {seen.spacing_mm} mm",
        f"- intensities from {seen.intensity_low} to {seen.intensity_high} for each channel",
        f"- bottleneck: {recipe.bottleneck}, {back.codes_used:.0%} of its codes in use",
        f"- {len(back.psnr)} {which} volumes came back at a mean PSNR of "
        f"{sum(back.psnr) / len(back.psnr):.1f} dB, SSIM {sum(back.ssim) / len(back.ssim):.2f}",
        f"- preset {recipe.preset}, seed {recipe.seed}",
    ]
    for a in seen.attributes:
        lines.append(f"- {a.name}: seen from {a.low:.3g} to {a.high:.3g} {a.unit}".rstrip())
    return [
        *lines,
        "",
        "Not for diagnosis. What it draws lies within what it has seen; audit it for copies of its "
        "training cases with `vesalius audit` before it leaves the house.",
    ]
