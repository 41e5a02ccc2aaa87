"""The networks of a fit of whole volumes, in order: what each learns from, and the gate between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vesalius.methods.volumes.component_denoiser import ComponentDenoiser
from vesalius.methods.volumes.detail_denoiser import (
    DetailDenoiser,
    DetailNoise,
    sampled_detail,
)
from vesalius.methods.volumes.model import VolumesModel
from vesalius.methods.volumes.noise_texture import FILE as NOISE_TEXTURE_FILE
from vesalius.methods.volumes.noise_texture import NoiseTexture, neighbour_axes
from vesalius.methods.volumes.objectives import AutoencoderObjective, CodeObjective, DetailObjective
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.methods.volumes.reconstruction import reconstruct
from vesalius.methods.volumes.scanner_noise import KINDS, scanner_noise
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.picture_features import (
    PictureFeatures,
    features_from,
    lite0_features,
)
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.scans.case import Scan
from vesalius.scans.progress import Progress, track
from vesalius.training.coding import Codes, coded, kept_codes
from vesalius.training.device import fabric_for, placed
from vesalius.training.method import Data, Part
from vesalius.training.run import Run
from vesalius.training.store import BlankStore, CaseStore, Layout, Store, gridded

NOISE_TEXTURE_CASES, NOISE_CASES = 24, 8


@dataclass(frozen=True)
class VolumesData(Data):
    """Scans and what `cases.csv` says of each; the first `fitted` are learnt from."""

    scans: Sequence[Scan] = field(default=(), kw_only=True)
    conditions: tuple[dict[str, float], ...] = field(default=(), kw_only=True)
    fitted: int = field(default=0, kw_only=True)


class Networks:
    """The networks of a fit, and what each learns from."""

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
        parts = [
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
                early=recipe.early if recipe.autoguidance != 1 else 0.0,
            ),
        ]  # fmt: skip
        return parts if model.detail is None else [*parts, self._detail_part(model.detail)]

    def _detail_part(self, network: DetailDenoiser) -> Part:
        fitted, total = self.data.fitted, len(self.data.scans)
        recipe, held_out = self.recipe.fit_detail, range(fitted, total)
        if total == fitted:
            recipe = recipe.changed(validate_every=0)

        def objective(given: tuple[Codes, Store, Tensor]) -> DetailObjective:
            return DetailObjective(network, *given, self.recipe, held_out)

        return Part(
            "detail", network, recipe, fitted,
            objective,
            lambda run, progress: self._details(network, run, progress),
            self._blank_details,
            after=lambda run, progress: self._match_noise(network, run, progress),
        )  # fmt: skip

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
        wanted = self.recipe.noise_texture and self.model.detail is None
        if wanted and NoiseTexture.of_run(run) is None:
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
            denoiser.learn_shares(encoder.std, encoder.least_std)
        else:
            plain = Codes(codes.array[:, :1])
            denoiser.learn_scale(plain, range(self.data.fitted), encoder.bottleneck)
        return codes, self.model.condition(self.data.conditions)

    def _decoded(self, run: Run, progress: Progress) -> Codes:
        """What comes back of all cases, on disk."""
        encoder, store = self.model.autoencoder, self.store(run, progress)
        return kept_codes(
            run.state / "decoded.npy", encoder,
            lambda image: encoder.decode_in_tiles(encoder.encode_in_tiles(image)),
            store.images, range(len(store)), "bf16-mixed", "sending volumes through their codes",
            progress,
        )  # fmt: skip

    def _details(
        self, network: DetailDenoiser, run: Run, progress: Progress
    ) -> tuple[Codes, CaseStore, Tensor]:  # fmt: skip
        """What comes back of all cases, the cases, and their noise; the denoiser learns scales."""
        decoded, store = self._decoded(run, progress), self.store(run, progress)
        axes, rows = neighbour_axes(self.fingerprint.spacing_mm), []
        for row in track(range(len(store)), "measuring noise", len(store), progress):
            image = store.images(torch.tensor([row]))[0].numpy()
            rows.append(scanner_noise(image, decoded.array[row, 0], axes).ravel())
        noise = torch.from_numpy(np.stack(rows)).float()
        fitted = torch.arange(self.data.fitted)
        details = (store.images(row[None]) - decoded.taken(row[None])[0] for row in fitted)
        network.learn_scale(details, noise[fitted])
        device = network.detail_sd.device
        return decoded, store, network.noise.standardised(noise.to(device)).cpu()

    def _match_noise(self, network: DetailDenoiser, run: Run, progress: Progress) -> None:
        """Find how much noise makes what is generated as noisy as the scans are."""
        if run.has_note(DetailNoise.FILE):
            return
        decoded, store = self._decoded(run, progress), self.store(run, progress)
        fabric, axes = fabric_for("bf16-mixed"), neighbour_axes(self.fingerprint.spacing_mm)
        placed(network)
        rows = range(min(NOISE_CASES, self.data.fitted))
        measured: list[list[np.ndarray]] = []
        for row in track(rows, "matching noise", len(rows), progress):
            case = torch.tensor([row])
            smooth = decoded.taken(case)[0]
            volumes = [store.images(case)]
            for scale in (0.0, 1.0):
                rng = torch.Generator().manual_seed(row)
                scales = [scale] * KINDS * smooth.shape[1]
                with torch.no_grad(), fabric.autocast():
                    detail = sampled_detail(
                        network, smooth.to(fabric.device), self.recipe.detail_steps, rng, scales
                    )
                volumes.append(smooth + detail.cpu())
            measured.append(
                [scanner_noise(one[0].numpy(), smooth[0].numpy(), axes).ravel() for one in volumes]
            )
        real, without, full = np.array(measured).swapaxes(0, 1)
        run.note(DetailNoise.FILE, DetailNoise.of(real, without, full).model_dump())

    def _blank_details(self) -> tuple[Codes, Store, Tensor]:
        layout = Layout.of(self.fingerprint, labelled=False)
        count = self.recipe.fit_detail.batch_size
        decoded = np.zeros((count, 1, layout.channels, *layout.shape), np.float32)
        return Codes(decoded), BlankStore(layout), torch.zeros(count, KINDS * layout.channels)

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
