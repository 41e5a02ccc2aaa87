"""A critic that sees pictures through the first stages of a frozen network.

After Sauer et al. 2021, "Projected GANs converge faster", section 3: channels of four stages are
mixed by random convolutions that are never learnt, coarse mixes are added to finer ones (by random
convolutions too in the paper, plainly here), and each has a small critic of its own. One more looks
at the coarsest mix as a whole, with the spread of the batch beside it, for a generator of few
thousand steps puts parts of pictures right before it puts them in their places.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from vesalius.networks.picture_features import PictureStages
from vesalius.networks.style_critic import batch_std

COARSEST = 4


class FeatureCritic(nn.Module):
    """Pictures `(B, C, S, S)` in [-1, 1], C being 1 or 3, to verdicts of patches and of the whole.

    Verdicts are `(B, 1, h, w)` for each stage, finest first, then `(B, 1)`; above zero for real.

    Args:
        stages: frozen; they are not among the parameters.
        width: channels of the mixes.
        seed: of the random convolutions.

    >>> from vesalius.networks.picture_features import lite0_stages
    >>> verdicts = FeatureCritic(lite0_stages(), 8)(torch.rand(4, 1, 32, 32))
    >>> [tuple(one.shape[2:]) for one in verdicts]
    [(8, 8), (4, 4), (2, 2), (2, 2), ()]
    """

    def __init__(self, stages: PictureStages, width: int = 64, seed: int = 0) -> None:
        super().__init__()
        self.stages = stages
        rng = torch.Generator().manual_seed(seed)
        for number, channels in enumerate(stages.widths):
            mix = torch.randn(width, channels, 1, 1, generator=rng) * 3 * channels**-0.5
            self.register_buffer(f"mix_{number}", mix)
        last = len(stages.widths) - 1
        self.patches = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(width, width, 3, 1 if number == last else 2, padding=1)),
                nn.LeakyReLU(0.2),
                spectral_norm(nn.Conv2d(width, 1, 3, padding=1)),
            )
            for number in range(len(stages.widths))
        )
        self.whole = nn.Sequential(
            spectral_norm(nn.Conv2d(width + 1, 2 * width, 3, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(2 * width, 2 * width, COARSEST)),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            spectral_norm(nn.Linear(2 * width, 1)),
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        maps = self.stages.maps(pictures * 0.5 + 0.5)
        mixed = [functional.conv2d(m, self.get_buffer(f"mix_{n}")) for n, m in enumerate(maps)]
        for number in reversed(range(len(mixed) - 1)):
            size = mixed[number].shape[2:]
            coarse = functional.interpolate(
                mixed[number + 1], size, mode="bilinear", align_corners=False
            )
            mixed[number] = (mixed[number] + coarse) / 2**0.5
        coarsest = functional.adaptive_avg_pool2d(mixed[-1], COARSEST)
        whole = torch.cat([coarsest, batch_std(coarsest)], dim=1)
        parts = [judge(one) for judge, one in zip(self.patches, mixed, strict=True)]
        return [*parts, self.whole(whole)]
