"""What the four networks of guided synthesis learn from, once those before each are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from vesalius.evidence.overlap import dice
from vesalius.methods.guided.appearance import BESIDE_LABELS, appearance_of
from vesalius.methods.guided.bias_field import EvenStore, measured_field
from vesalius.methods.guided.image_denoiser import BlockDenoiser
from vesalius.methods.guided.model import GuidedModel
from vesalius.methods.guided.notes import Losses, Overlaps
from vesalius.methods.guided.objectives import (
    BlockDenoiserObjective,
    ImageAutoencoderObjective,
    ImageDenoiserObjective,
    LabelDenoiserObjective,
    LabelVaeObjective,
)
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.deformation_space import DeformationSpace, typical
from vesalius.networks.image_autoencoder import ImageAutoencoder
from vesalius.networks.linear_codes import LinearCodes
from vesalius.networks.picture_features import lite0_features
from vesalius.networks.shape_space import ShapeSpace
from vesalius.scans.case import LabelledScan
from vesalius.scans.computing import Precision
from vesalius.scans.progress import Progress, track
from vesalius.training.coding import Codes, coded, kept_codes
from vesalius.training.device import fabric_for
from vesalius.training.judges import Judges
from vesalius.training.method import Data, Part
from vesalius.training.recipe import FitRecipe
from vesalius.training.run import Run
from vesalius.training.store import BlankStore, CaseStore, Layout, Store, gridded

TRAINING_CODES = "label_codes.npy"
OVERLAP_CASES = 8
"""By which is judged how well label maps come back."""


@dataclass(frozen=True)
class GuidedData(Data):
    """Labelled scans on disk; the first `fitted` are learnt from, the others are held out.

    Attributes:
        conditions: what the attributes of each case measure, `(N, A + 1)`.
    """

    scans: Sequence[LabelledScan] = field(default=(), kw_only=True)
    fitted: int = field(default=0, kw_only=True)
    conditions: Tensor = field(default_factory=lambda: torch.zeros(0, 1), kw_only=True)

    @property
    def held_out(self) -> range:
        """Rows of the cases that are not learnt from."""
        return range(self.fitted, len(self.scans))


class GuidedParts:
    """The four networks of a fit, and what each learns from once those before it are there."""

    def __init__(self, data: GuidedData) -> None:
        self.data, self.recipe, self.fingerprint = data, data.recipe, data.fingerprint
        self.model = GuidedModel(data.recipe, data.fingerprint)
        self.blank = BlankStore(Layout.of(self.fingerprint))
        self._store: CaseStore | None = None
        self._even: EvenStore | None = None
        self._on_codes: LabelDenoiserObjective | None = None

    def parts(self) -> list[Part]:
        model, recipe, fitted = self.model, self.recipe, self.data.fitted
        validated = len(self.data.scans) > fitted
        code_fit, image_fit = recipe.fit_label_denoiser, recipe.fit_image_denoiser
        if not validated:
            code_fit, image_fit = (fit.changed(validate_every=0) for fit in (code_fit, image_fit))
        space = model.label_autoencoder
        if isinstance(space, LinearCodes):
            labels = Part("label_autoencoder", space, inputs=self.store, solve=self._linear_space)
        else:
            labels = Part(
                "label_autoencoder", model.part("label_autoencoder"),
                recipe.fit_label_autoencoder, fitted,
                lambda store: LabelVaeObjective(
                    model.label_autoencoder, store, recipe.label_kl_weight  # type: ignore[arg-type]
                ),
                self.store, lambda: self.blank,
            )  # fmt: skip
        return [
            labels,
            Part(
                "label_denoiser", model.label_denoiser, code_fit, fitted, self._label_objective,
                self._label_codes, self._blank_label_codes, after=self._compare_with_prior,
            ),
            *self._image_parts(image_fit),
        ]  # fmt: skip

    def _image_parts(self, denoiser_fit: FitRecipe) -> list[Part]:
        model, recipe, fitted = self.model, self.recipe, self.data.fitted
        autoencoder, denoiser = model.image_autoencoder, model.image_denoiser
        early = recipe.early if recipe.autoguidance != 1 else 0.0
        if isinstance(autoencoder, BlockTransform):
            assert isinstance(denoiser, BlockDenoiser)
            return [
                Part("image_autoencoder", autoencoder, inputs=self.store, solve=self._blocks),
                Part(
                    "image_denoiser", denoiser, denoiser_fit, fitted,
                    lambda given: BlockDenoiserObjective(
                        denoiser, autoencoder, given[0], given[1], recipe.image_crop,
                        self.data.held_out,
                    ),
                    self._appearances, self._blank_appearances, early=early,
                ),
            ]  # fmt: skip
        return [
            Part(
                "image_autoencoder", autoencoder, recipe.fit_image_autoencoder, fitted,
                partial(self._image_objective, autoencoder), self.store, lambda: self.blank,
            ),
            Part(
                "image_denoiser", denoiser, denoiser_fit, fitted,
                lambda given: ImageDenoiserObjective(
                    denoiser, given[0], given[1], self.data.held_out
                ),
                self._image_codes, self._blank_image_codes, early=early,
            ),
        ]  # fmt: skip

    def _image_objective(
        self, autoencoder: ImageAutoencoder, store: Store
    ) -> ImageAutoencoderObjective:
        """Of the image autoencoder; the plan is of a step with all critics."""
        recipe, judges = self.recipe, None
        if known := recipe.image_judges:
            look = lite0_features()
            if isinstance(store, BlankStore):
                known = known.changed(critics_from=0)
            else:
                look.to(fabric_for().device)
            judges = Judges(known, store.layout.channels, look)
        return ImageAutoencoderObjective(
            autoencoder, store, recipe.image_crop, recipe.image_kl_weight, judges
        )

    def store(self, run: Run, progress: Progress) -> CaseStore:
        """All cases in one grid, on disk."""
        if self._store is None:
            known = self.fingerprint
            self._store = gridded(
                run.state / "cohort", known, self.data.scans, known.grid.place, progress
            )
        return self._store

    def _learnt_images(self, run: Run, progress: Progress) -> Store:
        """The images that the denoiser of blocks learns from: brought out of their bias fields."""
        store, denoiser = self.store(run, progress), self.model.image_denoiser
        assert isinstance(denoiser, BlockDenoiser)
        if denoiser.bias is None:
            return store
        if self._even is None:
            rows, degree = [], self.recipe.bias_degree
            for row in track(range(len(store)), "measuring bias fields", len(store), progress):
                case = torch.tensor([row])
                image, labels = store.images(case)[0].numpy(), store.labels(case)[0].numpy()
                rows.append(measured_field(image, labels, degree))
            known = torch.from_numpy(np.stack(rows)).float()
            denoiser.bias.fit(known[: self.data.fitted].flatten(1))
            self._even = EvenStore(store, known, degree)
        return self._even

    def _linear_space(self, run: Run, progress: Progress) -> None:
        """The principal components in closed form; codes of the training cases come with them."""
        store, fitted = self.store(run, progress), self.data.fitted
        space = self.model.label_autoencoder

        def label_maps() -> Iterator[np.ndarray]:
            return (store.labels(torch.tensor([row]))[0].numpy() for row in range(fitted))

        if isinstance(space, DeformationSpace):
            space.template.copy_(
                torch.from_numpy(typical(label_maps(), label_maps(), space.labels))
            )
            shown = track(label_maps(), "registering label maps", fitted, progress)
            codes = space.fit(shown, run.state, fabric_for().device)
        else:
            assert isinstance(space, ShapeSpace)
            shown = track(label_maps(), "finding the shape space", fitted, progress)
            codes = space.fit(shown, run.state)
        np.save(run.state / TRAINING_CODES, codes.numpy())
        self._note_overlap(run, codes[:OVERLAP_CASES], label_maps())

    def _note_overlap(
        self, run: Run, codes: Tensor, label_maps: Iterator[np.ndarray]
    ) -> None:  # fmt: skip
        """Note how well label maps come back, so that a kind that does not suit a cohort shows."""
        known = self.fingerprint.labels
        overlaps: dict[str, list[float]] = {name: [] for name in known}
        for code, true in zip(codes, label_maps, strict=False):
            back = self.model.label_autoencoder.decode(code[None]).argmax(dim=1)[0].numpy()
            for name, own in overlaps.items():
                place = np.searchsorted(self.fingerprint.label_numbers, known[name])
                own.append(dice(back, true, [int(place)]))
        medians = {name: float(np.median(own)) for name, own in overlaps.items()}
        run.note("label_maps", Overlaps(dice=medians).model_dump())

    def _label_codes(self, run: Run, progress: Progress) -> Codes:
        """Codes of all cases on the label denoiser's scale.

        The normal distribution of the codes is fitted first; the network adds what departs from it.
        """
        network, fitted = self.model.label_denoiser, range(self.data.fitted)
        store, encoder = self.store(run, progress), self.model.label_autoencoder
        known = run.state / TRAINING_CODES
        part = self.model.part("label_autoencoder")
        rest = self.data.held_out if known.is_file() else range(len(store))
        what: tuple[Precision, str, Progress] = ("32-true", "coding labels", progress)
        if known.is_file():  # those of a linear space are short
            own = np.load(known)
            first = np.stack([own, np.zeros_like(own)], axis=1)
            more = [one.numpy() for one in coded(part, encoder.encode, store.labels, rest, *what)]
            codes = Codes(np.concatenate([first, np.stack(more)]) if more else first)
        else:
            path = run.state / "label_vae_codes.npy"
            codes = kept_codes(path, part, encoder.encode, store.labels, rest, *what)
        if network.prior is not None:
            training = torch.from_numpy(codes.array[: len(fitted), 0])
            network.prior.fit(training, self.data.conditions[: len(fitted)])
        else:
            mean, variance = codes.moments(fitted, tuple(range(codes.array.ndim - 1)))
            network.code_mean.copy_(mean)
            network.code_scale.copy_(variance.sqrt())
        return codes

    def _blank_label_codes(self) -> Codes:
        size, batch = self.model.label_autoencoder.code_shape, self.recipe.fit_label_denoiser
        return Codes(np.zeros((batch.batch_size, 2, *size), np.float32))

    def _label_objective(self, codes: Codes) -> LabelDenoiserObjective:
        self._on_codes = LabelDenoiserObjective(
            self.model.label_denoiser, codes, self.data.conditions, self.data.held_out,
            self.recipe.drop_condition,
        )  # fmt: skip
        return self._on_codes

    def _compare_with_prior(self, run: Run, progress: Progress) -> None:
        """Note the loss on held-out cases beside that of the normal distribution alone."""
        if run.has_note("label_denoiser"):
            return
        denoiser, losses = self.model.label_denoiser, Losses(joined=False)
        if denoiser.prior is None:
            losses = Losses()
        if len(self.data.held_out):
            # It is there unless the fit was killed between the weights and this note.
            objective = self._on_codes or self._label_objective(self._label_codes(run, progress))
            objective.eval()
            if denoiser.prior is None:
                losses = Losses(validation_loss=objective.validation_loss())
            else:
                together = objective.held_out_losses()
                denoiser.joined = False
                losses = Losses.compared(objective.held_out_losses(), together)
        run.note("label_denoiser", losses.model_dump())

    def _blocks(self, run: Run, progress: Progress) -> None:
        """Find the components of blocks, all of which are kept."""
        transform, store = self.model.image_autoencoder, self._learnt_images(run, progress)
        assert isinstance(transform, BlockTransform)
        rows = range(self.data.fitted)
        listed = track(rows, "finding components of blocks", len(rows), progress)
        transform.fit(store.images(torch.tensor([row])) for row in listed)

    def _appearances(self, run: Run, progress: Progress) -> tuple[Store, Tensor]:
        """The store and the appearance of each case, from which the denoiser takes its scale."""
        store, count = self._learnt_images(run, progress), len(self.fingerprint.labels)
        transform, denoiser = self.model.image_autoencoder, self.model.image_denoiser
        assert isinstance(transform, BlockTransform) and isinstance(denoiser, BlockDenoiser)
        rows = []
        cases = range(len(self.data.scans))
        for row in track(cases, "measuring appearance", len(cases), progress):
            case = torch.tensor([row])
            image, labels = store.images(case)[0].numpy(), store.labels(case)[0].numpy()
            rows.append(appearance_of(image, labels, count).ravel())
        known = torch.from_numpy(np.stack(rows)).float()
        denoiser.learn_scale(transform.std.cpu(), known[: self.data.fitted])
        return store, denoiser.appearance.standardised(known)

    def _blank_appearances(self) -> tuple[Store, Tensor]:
        size = len(self.fingerprint.channels) * (len(self.fingerprint.labels) + BESIDE_LABELS)
        return self.blank, torch.zeros(self.recipe.fit_image_denoiser.batch_size, size)

    def _image_codes(self, run: Run, progress: Progress) -> tuple[Codes, Store]:
        """Mean and standard deviation of the image codes of all cases, and the store."""
        store, network = self.store(run, progress), self.model.image_denoiser
        encoder = self.model.image_autoencoder
        assert isinstance(encoder, ImageAutoencoder)
        codes = kept_codes(
            run.state / "image_codes.npy", encoder, encoder.encode, store.images,
            range(len(store)), self.recipe.fit_image_denoiser.precision, "coding images", progress,
        )  # fmt: skip
        mean, variance = codes.moments(range(self.data.fitted), (0, 2, 3, 4))
        network.code_mean.copy_(mean.reshape(network.code_mean.shape))
        network.code_scale.copy_(variance.sqrt().reshape(network.code_scale.shape))
        return codes, store

    def _blank_image_codes(self) -> tuple[Codes, Store]:
        sides = [side // self.model.coarseness for side in self.fingerprint.shape]
        count, channels = self.recipe.fit_image_denoiser.batch_size, self.recipe.image_code_channels
        return Codes(np.zeros((count, 2, channels, *sides), np.float32)), self.blank
