"""Whole volumes as a method: what it reads, its networks, and the gate between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter

from vesalius.methods.volumes.detail_denoiser import BLOCK
from vesalius.methods.volumes.fitting import Networks, VolumesData, perceptual
from vesalius.methods.volumes.model import VolumesModel
from vesalius.methods.volumes.pipeline import Sampling, VolumesPipeline
from vesalius.methods.volumes.recipe import PRESETS, Kind, VolumesRecipe, with_codes
from vesalius.methods.volumes.reconstruction import Reconstruction
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.json_file import read_json
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.measures import Measuring
from vesalius.training.method import Method, Part, Reading
from vesalius.training.reading import cohort_of, read_split
from vesalius.training.run import AGAIN, FORMAT, Run
from vesalius.training.store import Layout


class Volumes(Method[VolumesData]):
    """Fit whole volumes of any organ and modality: a 3D VQ-GAN, and diffusion on its codes.

    Label maps are not needed. Diffusion starts only if held-out volumes come back from the
    autoencoder well enough.
    """

    name, title = "volumes", "whole volumes"
    settings, measured = VolumesRecipe, Fingerprint
    caution = (
        "Not for diagnosis. What it generates lies within its training range; audit it for copies "
        "of its training cases with `vesalius audit` before it leaves the house."
    )

    def recipe(
        self, *,
        preset: Literal[
            "smallest", "demo", "workstation", "knee_mri", "breast_mri", "brain_mri", "chest_ct"
        ] = "demo",
        attribute: list[str] | None = None,
        bottleneck: Kind | None = None, perceptual: str | None = None,
        spacing: float | None = None, mirror: bool = False, seed: int = 0,
    ) -> VolumesRecipe:  # fmt: skip
        """Settings of a run.

        Parameters
        ----------
        preset: str
            Sizes and steps: demo for CPU minutes, workstation for one GPU, four as published.
        attribute: list[str]
            What volumes may be asked for: a column of cases.csv, such as a class or a grade, or
            what can be measured on label maps. May be repeated.
        bottleneck: str
            A codebook makes a VQ-GAN, gaussian a KL autoencoder by the same recipe; components are
            those of blocks of voxels, found without training. The preset's own without it.
        perceptual: str
            Features that compare slices: lite0, none, or a ResNet-50 or Inception v3 in
            safetensors.
        spacing: float
            Edge length in mm to work at; the cohort's own without it.
        mirror: bool
            Learn from volumes exchanged left to right as well: for organs that look alike from
            either side, not for a chest with its heart.
        seed: int
            Of the fit.
        """
        base = PRESETS[preset]
        if bottleneck:
            base = with_codes(base, bottleneck)
        return base.changed(
            attributes=tuple(attribute or base.attributes),
            perceptual=perceptual or base.perceptual,
            spacing_mm=base.spacing_mm if spacing is None else spacing,
            mirror=mirror or base.mirror,
            seed=seed,
        )

    def read(
        self, source: str | Path | Cohort, recipe: VolumesRecipe, reading: Reading
    ) -> VolumesData:
        """Read the images of a cohort; its labelsTr may be missing.

        Label maps are looked at only to measure attributes that `cases.csv` leaves out.

        Raises:
            InputError: for too few cases, an attribute that cannot be learnt, or a perceptual
                network that is not there.
        """
        perceptual(recipe)
        cohort = cohort_of(source, False, reading)
        measuring = Measuring(cohort, recipe.attributes, labelled=False)
        sound = read_split(measuring, recipe, reading)
        detailed = recipe.detail_widths is not None
        multiple = max(*recipe.downsampling, 2 * BLOCK * detailed)
        grid = sound.grid(recipe.spacing_mm, multiple)
        fingerprint = sound.fingerprint(grid, recipe.attributes)
        model = VolumesModel(recipe, fingerprint)
        codes = 4.0 * float(np.prod(model.code_shape)) * recipe.code_channels * (1 + recipe.mirror)
        layout = Layout.of(fingerprint, labelled=False)
        bytes_a_case = layout.bytes_a_case * (1 + 2 * detailed) + codes
        decision = (
            f"code: {' × '.join(map(str, model.code_shape))} voxels of {recipe.code_channels} "
            f"channels, {recipe.bottleneck}; {model.compression:.0f} voxels a number"
        )
        return VolumesData(
            recipe, fingerprint, 0.0, (decision,), {"split": sound.split}, scans=sound.scans,
            conditions=tuple(dict(one.attributes) for one in sound.measures), fitted=sound.fitted,
            disk_bytes=len(sound.cases) * bytes_a_case,
        )  # fmt: skip

    def parts(self, data: VolumesData) -> list[Part]:
        """Autoencoder, denoiser and, where the recipe has it, detail."""
        return Networks(data).parts()

    def card(self, data: VolumesData, run: Run) -> list[str]:
        """Channels, grid, intensities, how well volumes came back, and range of each attribute."""
        fingerprint: Fingerprint = data.fingerprint
        back = reconstruction_of(run)
        codebook = data.recipe.bottleneck == "codebook"
        which = "held-out" if back.held_out else "training"
        return [
            *fingerprint.lines,
            f"intensities from {fingerprint.intensity_low} to {fingerprint.intensity_high} for "
            "each channel",
            f"bottleneck: {data.recipe.bottleneck}"
            + (f", {back.codes_used:.0%} of its codes in use" if codebook else ""),
            f"{len(back.psnr)} {which} volumes came back at a mean PSNR of "
            f"{np.mean(back.psnr):.1f} dB, SSIM {np.mean(back.ssim):.2f}",
            *fingerprint.ranges,
        ]

    def open(self, run: Run, sampling: Sampling | None = None) -> VolumesPipeline:
        """The networks on their device, ready to generate."""
        return VolumesPipeline(run, sampling)


def reconstruction_of(run: Run[Any]) -> Reconstruction:
    """What the gate of a finished run found."""
    return read_json(run.folder / "reconstruction.json", TypeAdapter(Reconstruction), AGAIN, FORMAT)
