"""`vesalius prove` and `vesalius experiment`: measure what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from vesalius.api.console import bars, console
from vesalius.cli.options import Seed

if TYPE_CHECKING:
    from vesalius.evidence.figure import Results
    from vesalius.report.page import Sources

experiment = App(name="experiment", help="Run a whole experiment, from cohort to report.")

Preset = Literal["smallest", "demo", "workstation", "paper"]


def prove(
    real: Path,
    synthetic: Path,
    *,
    out: Path,
    test: Path | None = None,
    attribute: str | None = None,
    segmenter: Literal["dynunet", "nnunet"] = "dynunet",
    preset: Preset = "demo",
    epochs: int | None = None,
    iterations: int | None = None,
    planner: str = "ExperimentPlanner",
    configuration: str = "3d_fullres",
    seed: Seed = 0,
) -> None:
    """Does it help, is it varied, is anything copied? Train the same segmenter on five sets.

    Parameters
    ----------
    real: Path
        The real cohort.
    synthetic: Path
        The synthetic cohort.
    out: Path
        Folder of results.json and report.html. Killed, the same command goes on.
    test: Path
        Unseen cases; those of split test in the real cohort without it.
    attribute: str
        What is measured on predictions, such as tumour_volume_ml; the first that the cohort
        declares without it.
    segmenter: str
        dynunet is quick; nnunet runs the real nnU-Net v2.
    preset: str
        Size and steps of dynunet.
    epochs: int
        Of nnU-Net; 1000 without it.
    iterations: int
        Of nnU-Net, in each epoch; 250 without it.
    planner: str
        Of nnU-Net, such as nnUNetPlannerResEncM.
    configuration: str
        Of nnU-Net, such as 3d_lowres.
    seed: int
        Of the training.
    """
    from vesalius.api.proving import nnunet
    from vesalius.api.proving import prove as run_prove

    chosen = None
    if segmenter == "nnunet":
        chosen = nnunet(epochs, iterations, planner, configuration)
    found = run_prove(
        real, synthetic, test, out=out, attribute=attribute, preset=preset, seed=seed,
        segmenter=chosen, staged=_reported,
    )  # fmt: skip
    console.print(f"report: {found.page}")


@experiment.command
def ventricles(*, out: Path, preset: Preset = "demo", seed: int = 0) -> None:
    """Balance a skewed cohort of phantom brains, and test on unseen large ventricles.

    Writes results.json and report.html. The report is there from the first minutes on and grows;
    killed, the same command goes on where it was.

    Parameters
    ----------
    out: Path
        Folder of everything that is made.
    preset: str
        demo takes some minutes on two cores.
    seed: int
        Of the whole experiment.
    """
    from vesalius.experiments.ventricles import ATTRIBUTE, PRESETS, run_ventricles
    from vesalius.report.page import Sources, write_report

    recipe = PRESETS[preset].changed(seed=seed)
    pages = Sources(out, out / "real", out / "balanced", out / "proof", ATTRIBUTE)
    with bars() as progress:
        results = run_ventricles(out, recipe, progress, lambda stage: _refresh(pages))
    _report(results, (
        "control/slope", "control/r2", "control/acceptance", "utility/real/volume_mae_ml",
        "utility/augmented/volume_mae_ml", "utility/augmented_minus_real/volume_mae_ml",
        "memorisation/copies",
    ))  # fmt: skip
    console.print(f"report: {write_report(pages)}")


def _refresh(pages: Sources) -> None:
    """Write the report as far as it has come and say where it is."""
    from vesalius.report.page import write_report

    first = not (pages.folder / "report.html").exists()
    path = write_report(pages)
    if first:
        console.print(f"first pictures: {path}")


@experiment.command
def lumbar(
    *, out: Path, preset: Literal["smallest", "demo", "study", "workstation", "paper"] = "demo",
    seed: Seed = 0, features: Path | None = None,
) -> None:  # fmt: skip
    """Set findings into healthy phantom spines by six methods, and hold each against the truth.

    Writes results.json and report.html, which grows as the experiment goes on; killed, the same
    command goes on where it was.

    Parameters
    ----------
    out: Path
        Folder of everything that is made.
    preset: str
        demo takes some minutes on two cores, study an hour or two with three seeds.
    seed: int
        Of the phantoms and the classifiers.
    features: Path
        A ResNet-50 such as RadImageNet's, or an Inception v3, in safetensors, for the Fréchet
        distance; EfficientNet-Lite0 without it.
    """
    from vesalius.experiments.lumbar.experiment import run_lumbar
    from vesalius.experiments.lumbar.recipe import PRESETS
    from vesalius.networks.picture_features import features_from
    from vesalius.report.lumbar_page import write_lumbar_report

    if features is not None:
        features_from(features)
    reported = str(features.resolve()) if features else ""
    recipe = PRESETS[preset].changed(seed=seed, features=reported)
    with bars() as progress:
        results = run_lumbar(
            out, recipe, progress, lambda stage: _reported(write_lumbar_report(out))
        )
    _report(results, (
        "fidelity/herniation/voxelwise_trained/fid", "fidelity/herniation/repaint/fid",
        "fidelity/stenosis/voxelwise_trained/fid", "fidelity/stenosis/repaint/fid",
        "context/voxelwise_trained/mae", "request/herniation/spearman",
        "request/stenosis/spearman", "utility/augmented_minus_real/auc",
    ))  # fmt: skip
    console.print(f"report: {write_lumbar_report(out)}")


@experiment.command
def volumes(
    *, out: Path, preset: Literal["smallest", "demo", "study", "workstation"] = "demo",
    organ: Annotated[list[Literal["breast", "chest"]] | None, Parameter(negative="")] = None,
    seed: Seed = 0,
) -> None:  # fmt: skip
    """Learn phantom volumes whole, draw new ones, and pre-train segmenters on them.

    Writes results.json and report.html, which grows as the experiment goes on; killed, the same
    command goes on where it was.

    Parameters
    ----------
    out: Path
        Folder of everything that is made.
    preset: str
        demo takes some minutes on two cores, study some hours with both organs and all controls.
    organ: list[str]
        breast is MRI, chest CT. May be repeated; the preset's own without it.
    seed: int
        Of the whole experiment.
    """
    from vesalius.experiments.volumes.experiment import run_volumes
    from vesalius.experiments.volumes.recipe import PRESETS
    from vesalius.report.volumes_page import write_volumes_report

    base = PRESETS[preset]
    recipe = base.changed(seed=seed, organs=tuple(organ or base.organs))
    with bars() as progress:
        results = run_volumes(
            out, recipe, progress, lambda stage: _reported(write_volumes_report(out))
        )
    for one in recipe.organs:
        _report(results, (
            "reconstruction/psnr", "fidelity/fid", "fidelity/fid_floor", "diversity/ms_ssim/real",
            "diversity/ms_ssim/synthetic", "memorisation/copies", "pretraining/primary/dice_gain",
        ), one)  # fmt: skip
    console.print(f"report: {write_volumes_report(out)}")


@experiment.command
def robustness(
    *, out: Path, preset: Literal["smallest", "demo", "study", "workstation"] = "demo",
    data: Annotated[list[Literal["radiograph", "mri", "ct"]] | None, Parameter(negative="")] = None,
    seed: Seed = 0,
) -> None:  # fmt: skip
    """Train classifiers in three ways, attack them, and hold their maps against where disease is.

    Writes results.json and report.html, which grows as the experiment goes on; killed, the same
    command goes on where it was.

    Parameters
    ----------
    out: Path
        Folder of everything that is made.
    preset: str
        demo takes some minutes on two cores, study some hours with all data and three seeds.
    data: list[str]
        Kinds of phantoms. May be repeated; the preset's own without it.
    seed: int
        Of the whole experiment.
    """
    from vesalius.experiments.robustness.experiment import run_robustness
    from vesalius.experiments.robustness.recipe import PRESETS
    from vesalius.report.robustness_page import write_robustness_report

    base = PRESETS[preset]
    recipe = base.changed(seed=seed, data=tuple(data or base.data))
    with bars() as progress:
        results = run_robustness(
            out, recipe, progress, lambda stage: _reported(write_robustness_report(out))
        )
    for kind in recipe.data:
        _report(results, (
            "standard/auc", "adversarial/auc", "dual/auc", "dual_minus_standard/auc",
            "dual/robust_auc_published", "dual/robust_auc_honest", "standard/pointing_game",
            "dual/pointing_game", "standard/saliency_in_mask", "dual/saliency_in_mask",
        ), kind)  # fmt: skip
    console.print(f"report: {write_robustness_report(out)}")


@experiment.command
def osteoarthritis(
    *, out: Path, preset: Literal["smallest", "demo", "study"] = "demo", seed: int = 0
) -> None:
    """Predict knees in every way that is compared, and hold them against what became of them.

    Writes results.json and report.html, which grows as the experiment goes on; killed, the same
    command goes on where it was.

    Parameters
    ----------
    out: Path
        Folder of everything that is made.
    preset: str
        demo takes some minutes on two cores, study some hours.
    seed: int
        Of the whole experiment.
    """
    from vesalius.experiments.osteoarthritis.experiment import run_osteoarthritis
    from vesalius.experiments.osteoarthritis.recipe import PRESETS
    from vesalius.report.osteoarthritis_page import write_osteoarthritis_report

    recipe = PRESETS[preset].changed(seed=seed)
    with bars() as progress:
        results = run_osteoarthritis(
            out, recipe, progress, lambda stage: _reported(write_osteoarthritis_report(out))
        )
    _report(results, (
        "risk/extrapolation/auc", "risk/end_to_end/auc", "risk/extrapolation_minus_end_to_end/auc",
        "risk/true_hazard/auc", "future/extrapolation/joint_space_mae_mm",
        "future/no_change/joint_space_mae_mm", "projection/encoder/seconds",
    ))  # fmt: skip
    console.print(f"report: {write_osteoarthritis_report(out)}")


def _report(results: Results, names: Sequence[str], arm: str = "") -> None:
    """Some figures, a line each, as far as they were measured."""
    for name in names:
        whole = f"{arm}/{name}" if arm else name
        if whole in results.figures:
            figure = results.figures[whole]
            console.print(f"{whole:<46} {figure}  (n = {figure.n})")


def _reported(path: Path) -> None:
    console.print(f"[dim]report so far: {path}[/]")
