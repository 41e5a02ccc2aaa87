"""Whole volumes as a method: what it reads, its two networks, and the gate between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor

from vesalius.methods.volumes.component_denoiser import ComponentDenoiser
from vesalius.methods.volumes.model import VolumesModel
from vesalius.methods.volumes.noise_texture import FILE as NOISE_TEXTURE_FILE
from vesalius.methods.volumes.noise_texture import NoiseTexture, neighbour_axes
from vesalius.methods.volumes.objectives import AutoencoderObjective, CodeObjective
from vesalius.methods.volumes.pipeline import Sampling, VolumesPipeline
from vesalius.methods.volumes.recipe import PRESETS, Kind, VolumesRecipe, with_codes
from vesalius.methods.volumes.reconstruction import Reconstruction, reconstruct
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.picture_features import (
    PictureFeatures,
    features_from,
    lite0_features,
)
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.json_file import read_json
from vesalius.scans.progress import Progress, track
from vesalius.training.coding import Codes, coded, kept_codes
from vesalius.training.device import fabric_for
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.measures import Measuring
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.reading import cohort_of, read_split
from vesalius.training.run import AGAIN, FORMAT, Run
from vesalius.training.store import BlankStore, CaseStore, Layout, Store, gridded

NOISE_TEXTURE_CASES = 24


@dataclass(frozen=True)
class VolumesData(Data):
    """Scans and what `cases.csv` says of each; the first `fitted` are learnt from."""

    scans: Sequence[Scan] = field(default=(), kw_only=True)
    conditions: tuple[dict[str, float], ...] = field(default=(), kw_only=True)
    fitted: int = field(default=0, kw_only=True)


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
        grid = sound.grid(recipe.spacing_mm, max(recipe.downsampling))
        fingerprint = sound.fingerprint(grid, recipe.attributes)
        model = VolumesModel(recipe, fingerprint)
        codes = 4.0 * float(np.prod(model.code_shape)) * recipe.code_channels * (1 + recipe.mirror)
        bytes_a_case = Layout.of(fingerprint, labelled=False).bytes_a_case + codes
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
        """Autoencoder and denoiser."""
        return _Networks(data).parts()

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


class _Networks:
    """The two networks of a fit, and what each learns from."""

    def __init__(self, data: VolumesData) -> None:
        self.data, self.recipe, self.fingerprint = data, data.recipe, data.fingerprint
        self.model = VolumesModel(data.recipe, data.fingerprint)
        self._store: CaseStore | None = None

    def parts(self) -> list[Part]:
        model, recipe, fitted = self.model, self.recipe, self.data.fitted
        code_fit = recipe.fit_denoiser
        if len(self.data.scans) == fitted:
            code_fit = code_fit.changed(validate_every=0)
        solved = isinstance(model.autoencoder, BlockTransform)
        return [
            Part(
                "autoencoder", model.autoencoder, inputs=self.store, solve=self._components,
                after=self._gate,
            ) if solved else Part(
                "autoencoder", model.autoencoder, recipe.fit_autoencoder, fitted,
                self._autoencoder_objective, self.store,
                lambda: BlankStore(Layout.of(self.fingerprint, labelled=False)),
                after=self._gate,
            ),
            Part(
                "denoiser", model.denoiser, code_fit, fitted,
                self._code_objective,
                self._codes, self._blank_codes,
            ),
        ]  # fmt: skip

    def store(self, run: Run, progress: Progress) -> CaseStore:
        """All cases in one grid, on disk."""
        if self._store is None:
            known = self.fingerprint
            self._store = gridded(
                run.state / "cohort", known, self.data.scans, known.grid.place_whole, progress,
                labelled=False,
            )  # fmt: skip
        return self._store

    def _components(self, run: Run, progress: Progress) -> None:
        """Find the components of the blocks of all volumes that are learnt from."""
        store, rows = self.store(run, progress), range(self.data.fitted)
        assert isinstance(self.model.autoencoder, BlockTransform)
        listed = track(rows, "finding components of blocks", len(rows), progress)
        images = (store.images(torch.tensor([row])) for row in listed)
        if self.recipe.mirror:
            images = (torch.cat([image, image.flip(2)]) for image in images)
        self.model.autoencoder.fit(images)

    def _autoencoder_objective(self, store: Store) -> AutoencoderObjective:
        look, recipe = perceptual(self.recipe), self.recipe
        if isinstance(store, BlankStore):
            recipe = recipe.changed(critics_from=0)  # the plan is of a step with critics
        elif look is not None:
            look.to(fabric_for().device)
        assert isinstance(self.model.autoencoder, VolumeAutoencoder)
        return AutoencoderObjective(self.model.autoencoder, store, recipe, look)

    def _code_objective(self, given: tuple[Codes, Tensor]) -> CodeObjective:
        held_out = range(self.data.fitted, len(self.data.scans))
        return CodeObjective(self.model.denoiser, *given, self.recipe.drop_condition, held_out)

    def _gate(self, run: Run, progress: Progress) -> None:
        """Refuse to go on where volumes do not come back well; measure the noise that is lost."""
        fitted, total = self.data.fitted, len(self.data.scans)
        unseen = range(fitted, total) or range(fitted)
        store = self.store(run, progress)
        back = reconstruct(self.model.autoencoder, store, unseen, total > fitted, progress)
        run.note("reconstruction", asdict(back))
        back.require(self.recipe, run)
        if self.recipe.noise_texture and NoiseTexture.of_run(run) is None:
            encoder, rows = self.model.autoencoder, range(min(NOISE_TEXTURE_CASES, fitted))
            images = coded(
                encoder, lambda image: encoder.decode_in_tiles(encoder.encode_in_tiles(image)),
                store.images, rows, "bf16-mixed", "measuring noise texture", progress,
            )  # fmt: skip
            pairs = [
                (store.images(torch.tensor([row]))[0].numpy(), image[0].numpy())
                for row, image in zip(rows, images, strict=True)
            ]
            noise_texture = NoiseTexture.of(pairs, neighbour_axes(self.fingerprint.spacing_mm))
            run.note(NOISE_TEXTURE_FILE, noise_texture.model_dump())

    def _codes(self, run: Run, progress: Progress) -> tuple[Codes, Tensor]:
        """Codes of all cases and their conditions; the denoiser learns the scale of the codes."""
        encoder, store = self.model.autoencoder, self.store(run, progress)

        def code(image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
            own = encoder.encode_in_tiles(image)
            return (own, encoder.encode_in_tiles(image.flip(2))) if self.recipe.mirror else own

        codes = kept_codes(
            run.state / "codes.npy", encoder, code, store.images,
            range(len(store)), "bf16-mixed", "coding volumes", progress,
        )  # fmt: skip
        denoiser = self.model.denoiser
        if isinstance(denoiser, ComponentDenoiser):
            assert isinstance(encoder, BlockTransform)
            denoiser.learn_shares(encoder.std)
        else:
            plain = Codes(codes.array[:, :1])
            denoiser.learn_scale(plain, range(self.data.fitted), encoder.bottleneck)
        return codes, self.model.condition(self.data.conditions)

    def _blank_codes(self) -> tuple[Codes, Tensor]:
        count = self.recipe.fit_denoiser.batch_size
        views = 1 + self.recipe.mirror
        shape = (count, views, self.recipe.code_channels, *self.model.code_shape)
        return Codes(np.zeros(shape, np.float32)), torch.zeros(count, self.model.conditions)


def perceptual(recipe: VolumesRecipe) -> PictureFeatures | None:
    """The network of the perceptual term, or `InputError` if it cannot be had."""
    if recipe.bottleneck == "components":
        return None  # nothing is trained that it could judge
    if recipe.perceptual == "none" or recipe.perceptual_weight == 0:
        return None
    if recipe.perceptual == "lite0":
        return lite0_features()
    return features_from(Path(recipe.perceptual))


def reconstruction_of(run: Run[Any]) -> Reconstruction:
    """What the gate of a finished run found."""
    return read_json(run.folder / "reconstruction.json", TypeAdapter(Reconstruction), AGAIN, FORMAT)
