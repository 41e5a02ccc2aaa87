"""Train a segmenter on cases that are generated while it trains.

    python examples/on_the_fly.py RUN UNSEEN ventricle_volume_ml=20:160

RUN is of `vesalius fit guided`, UNSEEN a labelled cohort of other patients. Each epoch brings as
many new cases, seen once and let go; `benchmarks/on_the_fly.py` measures what that gains over as
many that are made once and shown in every epoch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch
from monai.losses import DiceCELoss
from monai.metrics import compute_dice
from monai.networks.nets import DynUNet
from monai.networks.utils import one_hot
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import vesalius as vs

CASES, EPOCHS, BATCH = 40, 12, 2


def segmenter(labels: int, channels: int = 1) -> nn.Module:
    """A small U-Net of three levels."""
    return DynUNet(
        spatial_dims=3, in_channels=channels, out_channels=labels, filters=[16, 32, 64],
        kernel_size=[3, 3, 3], strides=[1, 2, 2], upsample_kernel_size=[2, 2],
    )  # fmt: skip


def seen(image: Tensor) -> Tensor:
    """Images `(B, C, D, H, W)` at zero mean and unit SD."""
    axes = (2, 3, 4)
    return (image - image.mean(axes, keepdim=True)) / image.std(axes, keepdim=True).clamp(min=1e-6)


def numbered(label: Tensor, numbers: list[int]) -> Tensor:
    """Label numbers of a cohort as 0, 1, 2, …"""
    return torch.searchsorted(torch.tensor(numbers), label)


def train(
    cases_of: Callable[[int], Dataset[Any]], numbers: list[int], epochs: int | None = None,
    seed: int = 0, workers: int = 0,
) -> nn.Module:  # fmt: skip
    """A segmenter, trained on the cases that each epoch has.

    Args:
        cases_of: gives the data set of an epoch.
        numbers: of labels, in rising order.
        epochs: how many; `EPOCHS` if `None`.
        seed: of weights and order.
        workers: that generate or read cases beside the training.
    """
    epochs = epochs or EPOCHS
    torch.manual_seed(seed)
    network, loss = segmenter(len(numbers)), DiceCELoss(to_onehot_y=True, softmax=True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    falling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda epoch: 1 - epoch / epochs)
    for epoch in range(epochs):
        own = torch.Generator().manual_seed(1000 * seed + epoch)
        loader = DataLoader(
            cases_of(epoch), batch_size=BATCH, shuffle=True, generator=own, num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
        )  # fmt: skip
        for batch in loader:
            optimiser.zero_grad()
            found = network(seen(batch["image"]))
            loss(found, numbered(batch["label"], numbers)).backward()
            optimiser.step()
        falling.step()
    return network.eval()


@torch.no_grad()
def dice(network: nn.Module, cases: Iterable[Any], numbers: list[int], label: int) -> list[float]:
    """Dice of one label in each case, as the layout `tensors` has them."""
    result = []
    place = numbers.index(label)
    for case in cases:
        found = network(seen(case["image"][None])).argmax(dim=1, keepdim=True)
        truth = numbered(case["label"][None], numbers)
        both = [one_hot(one, len(numbers))[:, place : place + 1] for one in (found, truth)]
        result.append(float(compute_dice(*both)))
    return result


def main(run: str, unseen: str, target: str) -> None:
    """Train on new cases in every epoch, and say how well unseen ones are labelled."""
    name, _, ends = target.partition("=")
    low, high = (float(end) for end in ends.split(":"))
    model, cohort = vs.load(run), vs.Cohort.open(unseen)
    numbers = sorted(cohort.description.labels.values())

    def fresh(epoch: int) -> Dataset[Any]:
        return vs.SyntheticDataset(model, {name: (low, high)}, length=CASES, seed=epoch)

    network = train(fresh, numbers)
    label = cohort.description.labels["lateral_ventricles"]
    found = dice(network, on_grid(model, cohort), numbers, label)
    print(f"Dice of {len(found)} unseen cases: {sum(found) / len(found):.3f}")


def on_grid(model: Any, cohort: vs.Cohort) -> list[dict[str, Tensor]]:
    """Cases of a cohort on the grid of a run."""
    result = []
    for case in cohort.cases:
        placed = model.fingerprint.grid.place(cohort.read(case))
        image = torch.stack([torch.from_numpy(one.voxels).float() for one in placed.channels])
        label = torch.from_numpy(placed.label_map.voxels.astype("int64"))[None]
        result.append({"image": image, "label": label})
    return result


if __name__ == "__main__":
    main(*sys.argv[1:4])
