"""Classification of crops: does this level show a pathology?

A small 3D residual network of MONAI's, trained by the one loop. Findings are rare, so every batch
draws them as often as healthy crops, whatever the set; sets of different composition are trained
for the same number of steps and compared on the same unseen crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import ResNet
from torch import Tensor, nn
from torch.nn import functional

from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.loop import fit_network
from vesalius.training.objective import Batch, Objective
from vesalius.training.recipe import FitRecipe, Settings


class ClassifierRecipe(Settings):
    """Settings of a classifier.

    Attributes:
        widths: channels of the four stages.
        fit: steps and the rest, in full precision: gradients of group normalisation in bfloat16
            were seen to overflow on the CPU.
        shift: largest shift in voxels in the slice, as augmentation.
    """

    widths: tuple[int, int, int, int] = (16, 32, 64, 96)
    fit: FitRecipe = FitRecipe(
        steps=400, batch_size=16, learning_rate=2e-3, warmup_steps=20, moving_average=0.98,
        weight_decay=1e-3, precision="32-true",
    )  # fmt: skip
    shift: int = 3


def _fit(steps: int, batch_size: int, learning_rate: float) -> FitRecipe:
    return FitRecipe(
        steps=steps, batch_size=batch_size, learning_rate=learning_rate, precision="32-true"
    )


PRESETS = {
    "smallest": ClassifierRecipe(widths=(4, 4, 8, 8), fit=_fit(2, 4, 2e-3)),
    "demo": ClassifierRecipe(),
    "workstation": ClassifierRecipe(widths=(32, 64, 128, 256), fit=_fit(5000, 32, 1e-3)),
    "published": ClassifierRecipe(widths=(64, 128, 256, 512), fit=_fit(20_000, 32, 1e-3)),
}


@dataclass(frozen=True)
class LabelledCrops:
    """Crops `(N, D, H, W)` in about [0, 1] and what each shows, `(N, K)` of zeros and ones."""

    images: np.ndarray
    targets: np.ndarray
    names: tuple[str, ...]

    def joined(self, other: LabelledCrops) -> LabelledCrops:
        """Both sets as one."""
        return LabelledCrops(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.targets, other.targets]), self.names,
        )  # fmt: skip


class CropClassifier(nn.Module):
    """A residual network of one logit for each pathology; normalised by groups, not by batches.

    >>> CropClassifier(2, (4, 4, 8, 8))(torch.rand(3, 1, 8, 32, 32)).shape
    torch.Size([3, 2])
    """

    def __init__(self, outputs: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.network = ResNet(
            "basic", [1, 1, 1, 1], list(widths), spatial_dims=3, n_input_channels=1,
            conv1_t_size=(3, 5, 5),  # type: ignore[arg-type]
            conv1_t_stride=(1, 2, 2),  # type: ignore[arg-type]
            no_max_pool=True, num_classes=outputs,
            norm=("group", {"num_groups": 4}),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.network(2 * images - 1)
        return out.float()


class _Objective(Objective):
    def __init__(
        self, network: CropClassifier, crops: LabelledCrops, rows: Tensor, shift: int
    ) -> None:  # fmt: skip
        super().__init__()
        self.network, self.rows, self.shift = network, rows, shift
        self.images = torch.from_numpy(crops.images)
        self.targets = torch.from_numpy(crops.targets.astype(np.float32))

    def batch(self, rows: Tensor, rng: torch.Generator) -> Batch:
        taken = self.rows[rows]
        images = self.images[taken][:, None].float()
        if float(torch.rand(1, generator=rng)) < 0.5:
            images = images.flip(2)
        steps = torch.randint(-self.shift, self.shift + 1, (2,), generator=rng).tolist()
        images = torch.roll(images, steps, dims=(3, 4))
        images = images * (1 + 0.1 * torch.randn(len(taken), 1, 1, 1, 1, generator=rng))
        return images, self.targets[taken]

    def forward(self, batch: Batch, rng: torch.Generator) -> Tensor:
        images, targets = batch
        return functional.binary_cross_entropy_with_logits(self.network(images), targets)


def fit_classifier(
    crops: LabelledCrops, recipe: ClassifierRecipe, seed: int, folder: Path,
    progress: Progress = no_progress, part: str = "classifier",
) -> CropClassifier:  # fmt: skip
    """Train a classifier, or go on with one that was killed; its state lies in `folder`.

    Raises:
        InputError: if one of the pathologies is in no crop, or in all.
    """
    for column, name in enumerate(crops.names):
        share = float(crops.targets[:, column].mean())
        if share in (0.0, 1.0):
            fault = f"is in {share:.0%} of the training crops"
            raise InputError(name, fault, "add crops with and without it")
    torch.manual_seed(seed)
    network = CropClassifier(len(crops.names), recipe.widths)
    rows = even_rows(crops.targets)
    objective = _Objective(network, crops, rows, recipe.shift)
    fit_network(objective, len(rows), recipe.fit, seed, part, folder, progress)
    return network.eval()


def even_rows(targets: np.ndarray) -> Tensor:
    """Numbers of crops, repeated so that half are healthy and each pathology has its part.

    >>> rows = even_rows(np.array([[0, 0]] * 8 + [[1, 0], [0, 1]]))
    >>> round(float((rows < 8).float().mean()), 2)
    0.5
    """
    healthy = np.flatnonzero(targets.sum(axis=1) == 0)
    groups = [np.flatnonzero(targets[:, column]) for column in range(targets.shape[1])]
    total = 4 * len(targets)
    parts = [np.resize(healthy, total // 2)] if len(healthy) else []
    parts += [np.resize(group, total // (2 * len(groups))) for group in groups if len(group)]
    return torch.from_numpy(np.concatenate(parts))


def classify(
    network: CropClassifier, images: np.ndarray, batch: int = 32
) -> np.ndarray:  # fmt: skip
    """Probability of each pathology `(N, K)` in crops `(N, D, H, W)`."""
    device = next(network.parameters()).device
    rows: Sequence[Tensor] = []
    with torch.no_grad():
        rows = [
            torch.sigmoid(network(torch.from_numpy(part)[:, None].float().to(device))).cpu()
            for part in np.array_split(images, max(1, len(images) // batch))
        ]
    result: np.ndarray = torch.cat(list(rows)).numpy()
    return result
