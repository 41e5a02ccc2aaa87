"""Guided synthesis as a method: what it reads, its four networks, and what they learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from vesalius.anatomy.attributes import default_attributes
from vesalius.methods.guided.calibrating import calibrate
from vesalius.methods.guided.choosing import looked_at, suited
from vesalius.methods.guided.fitting import GuidedData, GuidedParts
from vesalius.methods.guided.model import condition_of
from vesalius.methods.guided.notes import Losses, Overlaps
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.recipe import (
    PRESETS,
    GuidedRecipe,
    ImageAutoencoderKind,
    LabelAutoencoderKind,
)
from vesalius.networks.image_autoencoder import ImageAutoencoder
from vesalius.networks.linear_codes import block_numbers
from vesalius.scans.cohort import Cohort
from vesalius.scans.progress import Progress
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.measures import Measuring
from vesalius.training.method import Method, Part, Reading
from vesalius.training.reading import SoundCases, cohort_of, read_split
from vesalius.training.run import Run
from vesalius.training.store import Layout

CALIBRATION_CASES = 8
_KINDS = {
    "shape_space": "linear shape space", "deformation": "deformation space of one template",
    "vae": "convolutional VAE",
    "blocks": "blocks of 2 × 2 × 2 voxels, which lose nothing",
}  # fmt: skip


class Guided(Method[GuidedData]):
    """Fit guided synthesis: label maps steered by attributes, and images from label maps."""

    name, title = "guided", "guided synthesis"
    settings, measured = GuidedRecipe, Fingerprint
    caution = (
        "Not for diagnosis. What it generates lies within its training range; audit it for copies "
        "of its training cases with `vesalius prove` before it leaves the house."
    )

    def recipe(
        self, *, preset: Literal["smallest", "demo", "workstation", "published"] = "demo",
        attribute: list[str] | None = None, spacing: float | None = None,
        label_autoencoder: LabelAutoencoderKind | Literal["auto"] | None = None,
        image_autoencoder: ImageAutoencoderKind | Literal["auto"] | None = None, seed: int = 0,
    ) -> GuidedRecipe:  # fmt: skip
        """Settings of a run.

        Parameters
        ----------
        preset: str
            Sizes and steps: demo for CPU minutes, workstation for one GPU at 2 mm, published for
            1 mm.
        attribute: list[str]
            What to steer by, such as `<label>_volume_ml` of any label; what the cohort declares
            without it. May be repeated.
        spacing: float
            Edge length in mm to work at; the cohort's own without it.
        label_autoencoder: str
            A linear shape space, deformations of one template, which keep what is thin and folded
            and suit cases that differ in shape alone, or a VAE for thousands of cases; auto
            decides by the size of the cohort and by whether one case, warped, shows the others. The
            preset's without it.
        image_autoencoder: str
            Blocks of voxels lose nothing and need no training, and suit grids up to 2 mm; a VAE
            has codes four times coarser. The preset's without it.
        seed: int
            Of the fit.
        """
        base = PRESETS[preset]
        return base.changed(
            attributes=tuple(attribute or base.attributes),
            spacing_mm=base.spacing_mm if spacing is None else spacing,
            label_autoencoder=label_autoencoder or base.label_autoencoder,
            image_autoencoder=image_autoencoder or base.image_autoencoder,
            seed=seed,
        )

    def read(
        self, source: str | Path | Cohort, recipe: GuidedRecipe, reading: Reading
    ) -> GuidedData:
        """Read a labelled cohort in nnU-Net v2 raw format.

        Raises:
            InputError: for too few cases, or an attribute that cannot be measured or does not vary.
        """
        cohort = cohort_of(source, True, reading)
        if not recipe.attributes:
            recipe = recipe.changed(attributes=default_attributes(cohort.description))
        sound = read_split(Measuring(cohort, recipe.attributes), recipe, reading)
        fitted = sound.fitted
        grid = sound.grid(recipe.spacing_mm, recipe.grid_multiple(fitted))
        fingerprint = sound.fingerprint(grid, recipe.attributes)
        conditions = condition_of(sound.values(recipe.attributes).tolist(), fingerprint.attributes)
        kind, why = _label_kind(recipe, sound, fingerprint, reading.progress)
        recipe = recipe.changed(label_autoencoder=kind)
        held_bytes, decision = 0.0, _KINDS["vae"]
        if kind != "vae":
            count = min(recipe.components, fitted - 1)
            row = _row(kind, fingerprint)
            # Axes packed and unpacked, a block of all cases twice, and their Gram matrix.
            block = 8.0 * fitted * min(block_numbers(fitted), row)
            held_bytes = 6.0 * row * count + block + 16.0 * fitted**2
            decision = f"{_KINDS[kind]} of {count} components"
        images = recipe.chosen_image_autoencoder(fingerprint.shape)
        return GuidedData(
            recipe, fingerprint, held_bytes,
            (f"label autoencoder: {decision}{why}", f"image autoencoder: {_KINDS[images]}"),
            {"split": sound.split},
            scans=sound.scans, fitted=fitted, conditions=conditions,
            disk_bytes=len(sound.cases) * _bytes_a_case(recipe, fingerprint, fitted),
        )  # fmt: skip

    def parts(self, data: GuidedData) -> list[Part]:
        """Label autoencoder, label denoiser, image autoencoder, image denoiser."""
        return GuidedParts(data).parts()

    def finish(self, data: GuidedData, run: Run, progress: Progress) -> None:
        """Calibrate the curve from request to measurement, and the noise of the images."""
        if not run.has_note("calibration"):
            calibrate(run, data.scans[: min(CALIBRATION_CASES, data.fitted)], progress=progress)

    def card(self, data: GuidedData, run: Run) -> list[str]:
        """Channels, labels, grid, kind of label autoencoder, and range of each attribute."""
        fingerprint: Fingerprint = data.fingerprint
        labels = data.recipe.chosen_label_autoencoder(fingerprint.cases)
        images = data.recipe.chosen_image_autoencoder(fingerprint.shape)
        back = run.has_note("label_maps")
        notes = [run.noted("label_maps", Overlaps).line] if back else []
        if drawn := run.noted("label_denoiser", Losses).line:
            notes.append(drawn)
        return [
            *fingerprint.lines, f"label autoencoder: {_KINDS[labels]}",
            *notes, f"image autoencoder: {_KINDS[images]}", *fingerprint.ranges,
        ]  # fmt: skip

    def open(self, run: Run, guidance: float | None = None) -> GuidedPipeline:
        """The networks on their device, ready to generate."""
        return GuidedPipeline(run, guidance)


def _label_kind(
    recipe: GuidedRecipe, sound: SoundCases, fingerprint: Fingerprint, progress: Progress
) -> tuple[LabelAutoencoderKind, str]:
    """The kind of label autoencoder for a cohort, and why, unless one was asked for."""
    kind = recipe.chosen_label_autoencoder(sound.fitted)
    if recipe.label_autoencoder != "auto" or kind == "vae":
        return kind, ""
    rows = looked_at(sound.fitted)
    grid, numbers = fingerprint.grid, fingerprint.label_numbers
    placed = (grid.place(sound.scans[row]).label_map.oriented("RAS").voxels for row in rows)
    found = suited(
        (np.searchsorted(numbers, voxels) for voxels in placed), len(numbers), len(rows), progress
    )
    reason = f" ({found.line(sorted(fingerprint.labels, key=fingerprint.labels.__getitem__))})"
    return ("deformation" if found.suits else "shape_space"), reason


def _row(kind: LabelAutoencoderKind, fingerprint: Fingerprint) -> float:
    """Numbers of a case whose components are found: signed distances, or a coarse velocity."""
    voxels = float(np.prod(fingerprint.shape))
    return 3 * voxels / 8 if kind == "deformation" else len(fingerprint.labels) * voxels


def _bytes_a_case(recipe: GuidedRecipe, fingerprint: Fingerprint, fitted: int) -> float:
    """On disk: image and labels, mean and SD of the codes, and signed distances."""
    layout, voxels = Layout.of(fingerprint), float(np.prod(fingerprint.shape))
    kind = recipe.chosen_label_autoencoder(fitted)
    if kind != "vae":
        labels = (2.0 if kind == "shape_space" else 4.0) * _row(kind, fingerprint)
    else:
        finest = 2.0 ** (3 * (len(recipe.label_widths) - 1))
        labels = 8.0 * recipe.label_code_channels * voxels / finest
    if recipe.chosen_image_autoencoder(fingerprint.shape) == "blocks":
        return layout.bytes_a_case + labels
    coarse = voxels / ImageAutoencoder.coarseness**3
    return layout.bytes_a_case + 8.0 * recipe.image_code_channels * coarse + labels
