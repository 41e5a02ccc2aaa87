"""`vesalius prove` and `vesalius experiment`: measure what it is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.markdown import Markdown

from vesalius.api.console import console
from vesalius.cli.computing import with_computing
from vesalius.cli.options import Seed

experiment = App(
    name="experiment",
    help="""Run a whole experiment, from cohort to report.

    Writes results.json and report.html. The report is there from the first minutes on and grows;
    killed, the same command goes on where it was. --dry-run shows what it will ask.
    """,
)

Preset = Literal["smallest", "demo", "workstation", "published"]
Studies = Literal["smallest", "demo", "study", "workstation"]
Sized = Parameter(help="demo takes some minutes on two cores, study hours with several seeds.")
Out = Annotated[
    Path,
    Parameter(
        help="Folder of everything that is made. Killed, the same command goes on where it was."
    ),
]
Looked = Annotated[
    bool,
    Parameter(
        name="--dry-run",
        negative="",
        help="Show question, arms, primary figures and cohorts, and compute nothing.",
    ),
]
ExperimentSeed = Annotated[
    Seed | None, Parameter(help="Of the whole experiment; the preset's own without it.")
]


def prove(
    data: Path,
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
    data: Path
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
    result = run_prove(
        data, synthetic, test, out=out, attribute=attribute, preset=preset, seed=seed,
        segmenter=chosen, staged=_grown,
    )  # fmt: skip
    console.print(f"report: {result.page}")


@experiment.command
@with_computing
def ventricles(
    *,
    out: Out,
    preset: Annotated[
        Literal["smallest", "demo", "study", "workstation", "published"], Sized
    ] = "demo",
    seed: ExperimentSeed = None,
    dry_run: Looked = False,
) -> None:
    """Balance a skewed cohort of phantom brains, and test on unseen large ventricles."""
    _run("ventricles", out, preset, seed, dry_run)


@experiment.command
@with_computing
def lumbar(
    *, out: Out,
    preset: Annotated[
        Literal["smallest", "demo", "study", "workstation", "published"], Sized
    ] = "demo",
    seed: ExperimentSeed = None, features: Path | None = None, dry_run: Looked = False,
) -> None:  # fmt: skip
    """Set findings into healthy phantom spines by six methods, and hold each against the truth.

    Parameters
    ----------
    features: Path
        A ResNet-50 such as RadImageNet's, or an Inception v3, in safetensors, for the Fréchet
        distance; EfficientNet-Lite0 without it.
    """
    _run("lumbar", out, preset, seed, dry_run, features=features)


@experiment.command
@with_computing
def volumes(
    *, out: Out, preset: Annotated[Studies, Sized] = "demo",
    organ: Annotated[list[Literal["breast", "chest"]] | None, Parameter(negative="")] = None,
    seed: ExperimentSeed = None, dry_run: Looked = False,
) -> None:  # fmt: skip
    """Learn phantom volumes whole, generate new ones, and pre-train segmenters on them.

    Parameters
    ----------
    organ: list[str]
        breast is MRI, chest CT. May be repeated; the preset's own without it.
    """
    _run("volumes", out, preset, seed, dry_run, subjects=organ or ())


@experiment.command
@with_computing
def robustness(
    *, out: Out, preset: Annotated[Studies, Sized] = "demo",
    data: Annotated[list[Literal["radiograph", "mri", "ct"]] | None, Parameter(negative="")] = None,
    seed: ExperimentSeed = None, dry_run: Looked = False,
) -> None:  # fmt: skip
    """Train classifiers in three ways, attack them, and hold their maps against where disease is.

    Parameters
    ----------
    data: list[str]
        Kinds of phantoms. May be repeated; the preset's own without it.
    """
    _run("robustness", out, preset, seed, dry_run, subjects=data or ())


@experiment.command
@with_computing
def osteoarthritis(
    *, out: Out, preset: Annotated[Literal["smallest", "demo", "study"], Sized] = "demo",
    seed: ExperimentSeed = None, dry_run: Looked = False,
) -> None:  # fmt: skip
    """Predict knees in every way that is compared, and hold them against what became of them."""
    _run("osteoarthritis", out, preset, seed, dry_run)


def _run(
    name: str, out: Path, preset: str, seed: int | None, dry_run: bool, **options: Any
) -> None:  # fmt: skip
    """Run an experiment and print what it is about, or what it asks."""
    from vesalius.api.experimenting import experiment as run_experiment
    from vesalius.api.experimenting import prespecified

    if dry_run:
        for asked in prespecified(name, preset=preset, seed=seed, **options):
            console.print(Markdown(asked.markdown))
        return
    result = run_experiment(name, out=out, preset=preset, seed=seed, staged=_grown, **options)
    for key, figure in result.headline.items():
        console.print(f"{key:<46} {figure}  ({figure.size})")
    console.print(f"report: {result.page}")


def _grown(path: Path) -> None:
    console.print(f"[dim]report so far: {path}[/]")
