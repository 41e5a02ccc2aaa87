"""`vesalius fit`: learn to make such scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from vesalius.cli.options import Millimetres, Seed, Side
from vesalius.cli.telling import bars, told_plan, told_run
from vesalius.scans.cohort import Cohort
from vesalius.scans.fault import Fault

app = App(name="fit", help="Fit a method to a cohort.")


@app.command
def guided(
    folder: Path,
    *,
    out: Path,
    preset: Literal["smallest", "demo", "workstation", "paper"] = "demo",
    attribute: Annotated[list[str] | None, Parameter(negative="")] = None,
    spacing: Millimetres | None = None,
    label_autoencoder: Literal["auto", "shape_space", "vae"] | None = None,
    seed: Seed = 0,
    plan_only: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fit guided synthesis: label maps steered by attributes, and images from label maps.

    Killed at any point, the same command goes on where it was.

    Parameters
    ----------
    folder: Path
        A labelled cohort in nnU-Net v2 raw format.
    out: Path
        Folder of the run.
    preset: str
        Sizes and steps: demo for CPU minutes, workstation for one GPU at 2 mm, paper for 1 mm.
    attribute: list[str]
        What to steer by: ventricle_volume_ml, or `<label>_volume_ml` of any label. May be repeated.
    spacing: float
        Edge length in mm to work at; the cohort's own without it.
    label_autoencoder: str
        Kind of label autoencoder; auto decides by the size of the cohort. The preset's without it.
    seed: int
        Of the fit.
    plan_only: bool
        Show what the fit needs and stop.
    """
    from vesalius.synthesis.guided.fitting import fit_guided, prepare_guided
    from vesalius.synthesis.guided.recipe import PRESETS
    from vesalius.training.run import require_place

    base = PRESETS[preset]
    recipe = base.changed(
        attributes=tuple(attribute or base.attributes),
        spacing_mm=base.spacing_mm if spacing is None else spacing,
        label_autoencoder=label_autoencoder or base.label_autoencoder,
        seed=seed,
    )
    require_place(out, folder)
    cohort = Cohort.open(folder)
    faults: list[Fault] = list(cohort.faults)
    with bars() as progress:
        prepared = prepare_guided(cohort, recipe, progress, faults)
        if told_plan(prepared.plan, faults, plan_only):
            return
        run = fit_guided(prepared, out, progress)
    told_run(run)


@app.command
def inpainting(
    folder: Path,
    *,
    out: Path,
    preset: Literal["smallest", "demo", "workstation", "paper"] = "demo",
    networks: Annotated[
        list[Literal["voxelwise", "ordinary", "concat"]] | None, Parameter(negative="")
    ] = None,
    seed: Seed = 0,
    plan_only: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fit pathology inpainting: findings set into healthy scans by a noise level for each voxel.

    The cohort needs landmarks.csv, one point in mm for each finding, and labels of discs and canal.
    Killed at any point, the same command goes on where it was.

    Parameters
    ----------
    folder: Path
        A labelled cohort in nnU-Net v2 raw format, with landmarks.csv.
    out: Path
        Folder of the run.
    preset: str
        Sizes and steps: demo for CPU minutes, workstation for one GPU, paper for several.
    networks: list[str]
        voxelwise is the method; ordinary and concat serve the baselines. May be repeated.
    seed: int
        Of the fit.
    plan_only: bool
        Show what the fit needs and stop.
    """
    from vesalius.synthesis.inpainting.fitting import fit_inpainting, prepare_inpainting
    from vesalius.synthesis.inpainting.recipe import PRESETS
    from vesalius.training.run import require_place

    base = PRESETS[preset]
    chosen = tuple(networks or base.networks)
    recipe = base.changed(networks=chosen, seed=seed)
    require_place(out, folder)
    cohort = Cohort.open(folder)
    faults: list[Fault] = list(cohort.faults)
    with bars() as progress:
        prepared = prepare_inpainting(cohort, recipe, progress, faults)
        if told_plan(prepared.plan, faults, plan_only):
            return
        run = fit_inpainting(prepared, out, progress)
    told_run(run)


@app.command
def volumes(
    folder: Path,
    *,
    out: Path,
    preset: Literal[
        "smallest", "demo", "workstation", "knee_mri", "breast_mri", "brain_mri", "chest_ct"
    ] = "demo",
    attribute: Annotated[list[str] | None, Parameter(negative="")] = None,
    bottleneck: Literal["codebook", "gaussian"] = "codebook",
    perceptual: str | None = None,
    spacing: Millimetres | None = None,
    seed: Seed = 0,
    plan_only: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fit whole volumes of any organ and modality: a 3D VQ-GAN, and diffusion on its codes.

    Label maps are not needed. Diffusion starts only if held-out volumes come back from the
    autoencoder well enough. Killed at any point, the same command goes on where it was.

    Parameters
    ----------
    folder: Path
        A cohort; its labelsTr may be missing.
    out: Path
        Folder of the run.
    preset: str
        Sizes and steps: demo for CPU minutes, workstation for one GPU, four as published.
    attribute: list[str]
        What volumes may be asked for: a column of cases.csv, such as a class or a grade, or what
        can be measured on label maps. May be repeated.
    bottleneck: str
        A codebook makes a VQ-GAN, gaussian a KL autoencoder by the same recipe.
    perceptual: str
        Features that compare slices: lite0, none, or a ResNet-50 or Inception v3 in safetensors.
    spacing: float
        Edge length in mm to work at; the cohort's own without it.
    seed: int
        Of the fit.
    plan_only: bool
        Show what the fit needs and stop.
    """
    from vesalius.synthesis.volumes.fitting import fit_volumes, prepare_volumes
    from vesalius.synthesis.volumes.recipe import PRESETS
    from vesalius.training.run import require_place

    base = PRESETS[preset]
    recipe = base.changed(
        attributes=tuple(attribute or base.attributes),
        bottleneck=bottleneck,
        perceptual=perceptual or base.perceptual,
        spacing_mm=base.spacing_mm if spacing is None else spacing,
        seed=seed,
    )
    require_place(out, folder)
    cohort = Cohort.open(folder, labelled=False)
    faults: list[Fault] = list(cohort.faults)
    with bars() as progress:
        prepared = prepare_volumes(cohort, recipe, progress, faults)
        if told_plan(prepared.plan, faults, plan_only):
            return
        run = fit_volumes(prepared, out, progress)
    told_run(run)


@app.command
def segmenter(
    folder: Path,
    *,
    out: Path,
    preset: Literal["smallest", "demo", "workstation", "paper"] = "demo",
    pretrained: Path | None = None,
    seed: Seed = 0,
    plan_only: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fit a segmenter to a labelled cohort, from scratch or from a pre-training.

    Parameters
    ----------
    folder: Path
        A labelled cohort in nnU-Net v2 raw format.
    out: Path
        Folder of the run.
    preset: str
        Sizes and steps: demo for CPU minutes, workstation and paper for GPUs.
    pretrained: Path
        A run of vesalius pretrain to begin from; it decides on network and spacing.
    seed: int
        Of the fit.
    plan_only: bool
        Show what the fit needs and stop.
    """
    from vesalius.tasks.segmentation import PRESETS
    from vesalius.tasks.segmenter_run import (
        SegmentationRecipe,
        fit_segmentation,
        prepare_segmentation,
    )
    from vesalius.training.run import require_place

    recipe = SegmentationRecipe(preset=preset, seed=seed, segmenter=PRESETS[preset])
    require_place(out, folder, pretrained)
    cohort = Cohort.open(folder)
    faults: list[Fault] = list(cohort.faults)
    with bars() as progress:
        ready = prepare_segmentation(cohort, recipe, pretrained, progress, faults)
        if told_plan(ready.plan, faults, plan_only):
            return
        run = fit_segmentation(ready, out, progress)
    told_run(run)


@app.command
def classifier(
    images: Path,
    *,
    out: Path,
    preset: Literal["smallest", "demo", "workstation", "published"] = "demo",
    training: Literal["dual", "standard", "adversarial"] = "dual",
    label: Annotated[list[str] | None, Parameter(negative="")] = None,
    side: Side = 64,
    epsilon: float | None = None,
    norm: Literal["linf", "l2"] | None = None,
    uncertain: Literal["unknown", "positive", "negative"] = "unknown",
    seed: Seed = 0,
    plan_only: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fit a classifier whose saliency maps can be read.

    Parameters
    ----------
    images: Path
        A cohort whose cases.csv has columns of 0 and 1; a folder with labels.csv (file, subject,
        split, then a column for each label), of CheXpert or of ChestX-ray14; or a MedMNIST .npz.
    out: Path
        Folder of the run.
    preset: str
        Sizes and steps: demo for CPU minutes, workstation for one GPU, published for ResNet-50.
    training: str
        dual learns clean and adversarial images through normalisations of their own; standard and
        adversarial are the baselines.
    label: list[str]
        To be learnt; all of them without it. May be repeated.
    side: int
        Pixels of the square that pictures are brought to.
    epsilon: float
        Largest change of an attack, on intensities in [0, 1].
    norm: str
        Of that change.
    uncertain: str
        What CheXpert's uncertain labels are taken for.
    seed: int
        Of the fit.
    plan_only: bool
        Show what the fit needs and stop.
    """
    from vesalius.scans.classified_layouts import read_classified
    from vesalius.tasks.adversarial_training import PRESETS
    from vesalius.tasks.classifier_run import (
        ClassificationRecipe,
        fit_classification,
        prepare_classification,
    )
    from vesalius.training.run import require_place

    base = PRESETS[preset]
    changed = {"epsilon": epsilon, "norm": norm}
    given = {name: value for name, value in changed.items() if value is not None}
    attack = base.attack.changed(**given)
    own = base.changed(training=training, attack=attack)
    recipe = ClassificationRecipe(preset=preset, seed=seed, classifier=own)
    require_place(out, images)
    with bars() as progress:
        found = read_classified(images, label or (), side, uncertain, progress)
        ready = prepare_classification(found, recipe)
        if told_plan(ready.plan, list(found.faults), plan_only):
            return
        run = fit_classification(ready, out, progress)
    told_run(run)


@app.command
def progression(
    visits: Path,
    *,
    out: Path,
    preset: Literal["smallest", "demo", "published"] = "demo",
    attribute: Annotated[list[str] | None, Parameter(negative="")] = None,
    seed: Seed = 0,
    plan_only: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Fit progression: what will a patient's picture look like, and how fast does disease go.

    Parameters
    ----------
    visits: Path
        A cohort whose cases.csv has subject, visit and years (and left, 1 for a left side), or a
        folder of OAI or MOST crops by their published names.
    out: Path
        Folder of the run; its classifier of grades lies in grades/ below, where kl_grade is known.
    preset: str
        Sizes and steps: demo for CPU minutes at 64 pixels, published for GPUs at 256.
    attribute: list[str]
        Read off pictures and kept by projections; medial and lateral joint space without it. May be
        repeated.
    seed: int
        Of the fit.
    plan_only: bool
        Show what the fit needs and stop.
    """
    from vesalius.protocols.prognosis import fit_prognosis
    from vesalius.scans.visit_layouts import read_visits
    from vesalius.synthesis.progression.fitting import prepare_progression
    from vesalius.synthesis.progression.recipe import PRESETS
    from vesalius.tasks.adversarial_training import PRESETS as TRAININGS
    from vesalius.tasks.classifier_run import ClassificationRecipe
    from vesalius.training.run import require_place

    base = PRESETS[preset].changed(seed=seed)
    recipe = base.changed(attributes=tuple(attribute or base.attributes))
    grading = ClassificationRecipe(
        preset=preset, seed=seed, held_out=recipe.held_out, classifier=TRAININGS[preset]
    )
    require_place(out, visits)
    with bars() as progress:
        found = read_visits(visits, recipe.side, progress)
        ready = prepare_progression(found, recipe)
        if told_plan(ready.plan, list(found.faults), plan_only):
            return
        run = fit_prognosis(ready, grading, out, progress)
    told_run(run)
