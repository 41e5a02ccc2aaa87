"""The gate before diffusion: do held-out volumes come back from the autoencoder as they were?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from monai.metrics import PSNRMetric, SSIMMetric

from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.networks.block_transform import BlockTransform
from vesalius.networks.bottleneck import Codebook, perplexity_of
from vesalius.networks.volume_autoencoder import VolumeAutoencoder
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, track
from vesalius.training.device import fabric_for, placed
from vesalius.training.run import Run
from vesalius.training.store import CaseStore


@dataclass(frozen=True)
class Reconstruction:
    """How near each held-out volume came back, on intensities in [0, 1]; use of the codebook.

    Attributes:
        psnr: of each volume, in dB.
        ssim: of each volume, in windows of 7 voxels.
        codes_used: share of the codes that these volumes take; 1 without a codebook.
        perplexity: number of codes that would be in use if all were chosen alike.
        held_out: whether the autoencoder had not seen these volumes.
    """

    psnr: tuple[float, ...]
    ssim: tuple[float, ...]
    codes_used: float
    perplexity: float
    held_out: bool

    def require(self, recipe: VolumesRecipe, run: Run) -> None:
        """Refuse to go on with an autoencoder whose volumes cannot be better than this."""
        for name, values, least, unit in (
            ("PSNR", self.psnr, recipe.least_psnr, " dB"),
            ("SSIM", self.ssim, recipe.least_ssim, ""),
        ):
            mean = float(np.mean(values))
            if mean < least:
                fault = f"brings volumes back at a mean {name} of {mean:.3g}{unit}, {least:g} asked"
                remedy = "fit the autoencoder longer or wider, or lower the gate in the recipe"
                raise InputError(run.folder / "autoencoder.safetensors", fault, remedy)


def reconstruct(
    network: VolumeAutoencoder | BlockTransform, store: CaseStore, rows: range, held_out: bool,
    progress: Progress,
) -> Reconstruction:  # fmt: skip
    """Send volumes through the autoencoder and compare what comes back."""
    psnr, ssim = PSNRMetric(max_val=1.0), SSIMMetric(spatial_dims=3, data_range=1.0, win_size=7)
    fabric = fabric_for("bf16-mixed")
    placed(network)
    result: list[list[float]] = []
    book = network.bottleneck
    chosen = torch.zeros(book.size if isinstance(book, Codebook) else 1)
    for row in track(rows, "sending volumes through the autoencoder", len(rows), progress):
        image = store.images(torch.tensor([row])).clamp(0, 1)
        with torch.no_grad(), fabric.autocast():
            code = network.encode_in_tiles(image.to(fabric.device))
            back = network.decode_in_tiles(code).float().cpu().clamp(0, 1)
        result.append([float(torch.as_tensor(metric(back, image))) for metric in (psnr, ssim)])
        if isinstance(book, Codebook):
            numbers = book.numbers_of(code.float().movedim(1, -1).flatten(0, -2))
            chosen += torch.bincount(numbers.cpu(), minlength=book.size)
    values = np.array(result).T
    used = float((chosen > 0).float().mean()) if isinstance(book, Codebook) else 1.0
    return Reconstruction(tuple(values[0]), tuple(values[1]), used, perplexity_of(chosen), held_out)
