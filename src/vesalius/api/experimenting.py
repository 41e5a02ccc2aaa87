"""Run a whole experiment, from phantoms to report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vesalius.api.console import bars
from vesalius.api.growing_page import GrowingPage
from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.experiments.lumbar.experiment import run_lumbar
from vesalius.experiments.lumbar.prespecified import prespecified as lumbar_asked
from vesalius.experiments.lumbar.recipe import PRESETS as LUMBAR
from vesalius.experiments.osteoarthritis.experiment import run_osteoarthritis
from vesalius.experiments.osteoarthritis.prespecified import prespecified as osteoarthritis_asked
from vesalius.experiments.osteoarthritis.recipe import PRESETS as OSTEOARTHRITIS
from vesalius.experiments.prespecified import Prespecified
from vesalius.experiments.robustness.experiment import run_robustness
from vesalius.experiments.robustness.prespecified import prespecified as robustness_asked
from vesalius.experiments.robustness.recipe import PRESETS as ROBUSTNESS
from vesalius.experiments.ventricles.experiment import run_ventricles
from vesalius.experiments.ventricles.prespecified import prespecified as ventricles_asked
from vesalius.experiments.ventricles.recipe import PRESETS as VENTRICLES
from vesalius.experiments.volumes.experiment import run_volumes
from vesalius.experiments.volumes.prespecified import prespecified as volumes_asked
from vesalius.experiments.volumes.recipe import PRESETS as VOLUMES
from vesalius.networks.picture_features import features_from
from vesalius.phantoms.brain import ATTRIBUTE
from vesalius.report.lumbar_page import write_lumbar_report
from vesalius.report.osteoarthritis_page import write_osteoarthritis_report
from vesalius.report.proof_page import Sources, write_proof_report
from vesalius.report.rendering import table_html
from vesalius.report.robustness_page import write_robustness_report
from vesalius.report.sections import figures_table
from vesalius.report.volumes_page import write_volumes_report
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.scans.writing import make_folder, write_text


def _ventricles_page(folder: Path) -> Path:
    real, balanced, proof = (folder / name for name in ("real", "balanced", "proof"))
    return write_proof_report(Sources(folder, real, balanced, proof, ATTRIBUTE))


@dataclass(frozen=True)
class _Known:
    """An experiment: its presets, what it asks, how it runs, its page, and what a run is about."""

    presets: Mapping[str, Any]
    asked: Callable[..., Prespecified]
    run: Callable[..., Results]
    page: Callable[[Path], Path]
    headline: tuple[str, ...]
    subjects: str = ""

    def subjects_of(self, recipe: Any) -> tuple[str, ...]:
        """Those of a recipe; none of an experiment that has one subject alone."""
        return tuple(getattr(recipe, self.subjects)) if self.subjects else ()


EXPERIMENTS = {
    "ventricles": _Known(
        VENTRICLES, ventricles_asked, run_ventricles, _ventricles_page,
        ("control/slope", "control/r2", "control/acceptance", "sampling/copies_rejected",
         "utility/real/volume_mae_ml", "utility/augmented/volume_mae_ml",
         "utility/augmented_minus_real/volume_mae_ml", "memorisation/copies"),
    ),
    "lumbar": _Known(
        LUMBAR, lumbar_asked, run_lumbar, write_lumbar_report,
        ("fidelity/herniation/voxelwise_trained/fid", "fidelity/herniation/repaint/fid",
         "fidelity/stenosis/voxelwise_trained/fid", "fidelity/stenosis/repaint/fid",
         "context/voxelwise_trained/mae", "request/herniation/spearman",
         "request/stenosis/spearman", "utility/augmented_minus_real/auc"),
    ),
    "volumes": _Known(
        VOLUMES, volumes_asked, run_volumes, write_volumes_report,
        ("reconstruction/psnr", "fidelity/fid", "fidelity/fid_real_vs_real",
         "diversity/ms_ssim/real", "diversity/ms_ssim/synthetic", "memorisation/copies",
         "pretraining/primary/dice_gain"),
        "organs",
    ),
    "robustness": _Known(
        ROBUSTNESS, robustness_asked, run_robustness, write_robustness_report,
        ("standard/auc", "adversarial/auc", "dual/auc", "dual_minus_standard/auc",
         "dual/robust_auc_published", "dual/robust_auc_clean_path", "standard/pointing_game",
         "dual/pointing_game", "standard/saliency_in_mask", "dual/saliency_in_mask"),
        "data",
    ),
    "osteoarthritis": _Known(
        OSTEOARTHRITIS, osteoarthritis_asked, run_osteoarthritis, write_osteoarthritis_report,
        ("risk/extrapolation/auc", "risk/forecast_only/auc", "risk/neighbour_labels/auc",
         "risk/extrapolation_minus_forecast_only/auc",
         "risk/extrapolation_minus_neighbour_labels/auc", "risk/true_hazard/auc",
         "future/extrapolation/joint_space_mae_mm", "future/no_change/joint_space_mae_mm",
         "projection/encoder/seconds"),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Finished:
    """A finished experiment.

    Attributes
    ----------
    results
        as `results.json` holds them.
    page
        `report.html` beside it.
    headline
        the figures that it is about, by name.
    """

    results: Results
    page: Path
    headline: Mapping[str, Figure]

    @property
    def figures(self) -> Mapping[str, Figure]:
        """Every figure by its name."""
        return self.results.figures

    def report(self, path: str | Path) -> Path:
        """Write the page to another place; it is one self-contained file."""
        make_folder(Path(path).parent)
        write_text(Path(path), self.page.read_text(encoding="utf-8"))
        return Path(path)

    def _repr_html_(self) -> str:
        return table_html(figures_table(self.headline))


def experiment(
    name: str, *, out: str | Path, preset: str = "demo", seed: int | None = None,
    subjects: Sequence[str] = (), features: str | Path | None = None,
    progress: Progress | None = None, staged: Callable[[Path], None] | None = None,
) -> Finished:  # fmt: skip
    """Run an experiment on phantoms. Killed at any point, the same call goes on where it was.

    Parameters
    ----------
    name
        `ventricles`, `lumbar`, `volumes`, `robustness` or `osteoarthritis`.
    out
        folder of everything that is made.
    preset
        `demo` takes some minutes on two cores.
    seed
        of the whole experiment; the preset's own if `None`.
    subjects
        organs of `volumes`, kinds of data of `robustness`; the preset's own if empty.
    features
        for `lumbar`: a ResNet-50 such as RadImageNet's, or an Inception v3, in safetensors, for the
        Fréchet distance; EfficientNet-Lite0 if `None`.
    progress
        called after each case and step; bars if `None`.
    staged
        called with the page whenever it was written anew: after the first stage, and after those
        that end half a minute or more later.

    Raises
    ------
    InputError
        for an unknown experiment or preset, or a folder of other content.

    >>> experiment("alchemy", out="gold")
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: alchemy: is no experiment; choose one of ventricles, ...
    """
    known, recipe = _chosen(name, preset, seed, subjects, features)
    folder = Path(out)

    finished = GrowingPage(partial(known.page, folder), staged)
    with bars(progress) as report:
        results = known.run(folder, recipe, report, finished)
    fronts = known.subjects_of(recipe) or ("",)
    names = [f"{front}/{one}".lstrip("/") for front in fronts for one in known.headline]
    headline = {one: results.figures[one] for one in names if one in results.figures}
    return Finished(results, known.page(folder), headline)


def prespecified(
    name: str, *, preset: str = "demo", seed: int | None = None, subjects: Sequence[str] = (),
    features: str | Path | None = None,
) -> list[Prespecified]:  # fmt: skip
    """What an experiment will ask, and how it will be answered, before anything is made.

    Parameters
    ----------
    name, preset, seed, subjects, features
        as `experiment` takes them.

    Returns
    -------
    :
        a document for each subject; an experiment writes it before its first stage.

    Raises
    ------
    InputError
        for an unknown experiment or preset.

    >>> print(prespecified("ventricles")[0].question.partition(",")[0][:5])
    Does
    """
    known, recipe = _chosen(name, preset, seed, subjects, features)
    own = known.subjects_of(recipe)
    return [known.asked(one, recipe) for one in own] if own else [known.asked(recipe)]


def _chosen(
    name: str, preset: str, seed: int | None, subjects: Sequence[str], features: str | Path | None
) -> tuple[_Known, Any]:  # fmt: skip
    """An experiment by its name, and its recipe.

    Raises:
        InputError: for an unknown experiment or preset.
    """
    if name not in EXPERIMENTS:
        remedy = f"choose one of {', '.join(EXPERIMENTS)}"
        raise InputError(name, "is no experiment", remedy)
    known = EXPERIMENTS[name]
    if preset not in known.presets:
        raise InputError(preset, "is no preset", f"choose one of {', '.join(known.presets)}")
    settings: dict[str, Any] = {} if seed is None else {"seed": seed}
    if subjects:
        settings[known.subjects] = tuple(subjects)
    if features is not None:
        features_from(Path(features))
        settings["features"] = str(Path(features).resolve())
    return known, known.presets[preset].changed(**settings)
