"""Conditioning maps: what is asked for, generated to scale around the landmark.

A size in mm told as a number alone is learnt slowly. Beside it the networks see, for each
pathology, where it is wanted, and its size: a ball as large as a lesion, or as a herniation should
reach, or how far from front to back the canal should be open. Healthy levels tell of an open canal
as well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vesalius.methods.inpainting.latent import LATENT_FACTORS, folded
from vesalius.methods.inpainting.training_pathologies import TrainingPathologies

PRESENCE_MM = 6.0
EDGE_MM = 1.0
CONDITIONING_MAPS = 2 * LATENT_FACTORS[1] * LATENT_FACTORS[2]
"""Channels of the conditioning maps of one pathology on the latent grid."""


def offsets_mm(crop: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Tensor:
    """How far each voxel lies right, before and above the middle of a crop, `(1, 3, D, H, W)`.

    >>> offsets_mm((1, 3, 3), (4.0, 1.0, 1.0))[0, :, 0, 0, 2].tolist()
    [0.0, -1.0, 1.0]
    """
    axes = [
        (torch.arange(n, dtype=torch.float32) - (n - 1) / 2) * size
        for n, size in zip(crop, spacing_mm, strict=True)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]


def conditioning_maps(
    condition: Tensor, offsets: Tensor, training_range: TrainingPathologies
) -> Tensor:
    """Maps `(B, 8·P, D, H/2, W/2)` of conditions `(B, A)`; all zero where there is no condition.

    Args:
        condition: see `TrainingPathologies.condition`.
        offsets: from the landmark in mm, `(1, 3, D, H, W)`.
        training_range: pathologies of the run.

    >>> from vesalius.methods.inpainting.training_pathologies import TrainingPathology
    >>> known = TrainingPathologies(levels=("L4-L5",), pathologies=(
    ...     TrainingPathology.of("herniation", [4.0, 8.0], ["L4-L5"] * 2),))
    >>> reported = torch.tensor([known.condition("herniation", "L4-L5", {"herniation": 8.0})])
    >>> maps = conditioning_maps(reported, offsets_mm((1, 34, 2), (4.0, 1.0, 1.0)), known)
    >>> ball = maps[0, 4::4, 0, :, 0].flatten()
    >>> [round(float(ball[index]), 2) for index in (0, 4, 8)]
    [0.0, 0.37, 1.0]
    """
    maps = []
    far = offsets.norm(dim=1, keepdim=True)
    aside, ahead, above = offsets.split(1, dim=1)
    beside = (-0.5 * (aside**2 + above**2) / PRESENCE_MM**2).exp()
    for index, (pathology, (flag, value)) in enumerate(
        zip(training_range.pathologies, training_range.size_columns, strict=True)
    ):
        wanted = condition[:, 1 + index].reshape(-1, 1, 1, 1, 1)
        known = condition[:, flag].reshape(-1, 1, 1, 1, 1)
        size = condition[:, value].reshape(-1, 1, 1, 1, 1) * pathology.sd + pathology.mean
        if pathology.form == "opening":
            shape = known * beside * torch.sigmoid((size / 2 - ahead.abs()) / EDGE_MM)
        else:
            reach = size * pathology.radius_share
            shape = wanted * known * torch.sigmoid((reach - far) / EDGE_MM)
        maps += [wanted * torch.exp(-0.5 * (far / PRESENCE_MM) ** 2), shape]
    return folded(torch.cat(maps, dim=1))
