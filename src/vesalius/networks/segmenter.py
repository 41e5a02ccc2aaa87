"""Segmenters by MONAI: DynUNet as the quick default, Swin UNETR for a GPU."""

from __future__ import annotations

from typing import Literal

from monai.networks.nets import DynUNet, SwinUNETR
from torch import Tensor, nn
from torch.nn import functional

Architecture = Literal["dynunet", "swin_unetr"]
BEFORE_NORMALISATION = ("conv1.conv.weight", "conv2.conv.weight")
"""How convolutions that a normalisation follows are called in MONAI's U-Net blocks."""


class Segmenter(nn.Module):
    """Scores `(B, labels, D, H, W)` for images `(B, C, D, H, W)` of any size and unit SD.

    Args:
        channels: C.
        labels: number of labels, the background included.
        filters: channels of each of three or more levels, finest first; each halves the volume. Of
            Swin UNETR the first alone counts.
        architecture: which network.

    >>> import torch
    >>> net = Segmenter(channels=1, labels=3, filters=(4, 8, 8))
    >>> net(torch.rand(1, 1, 9, 10, 11)).shape
    torch.Size([1, 3, 9, 10, 11])
    >>> fine, deep = net.features(torch.rand(1, 1, 9, 10, 11))
    >>> fine.shape, deep.shape
    (torch.Size([1, 4, 9, 10, 11]), torch.Size([1, 8, 3, 3, 3]))
    """

    def __init__(
        self, channels: int, labels: int, filters: tuple[int, ...],
        architecture: Architecture = "dynunet",
    ) -> None:  # fmt: skip
        super().__init__()
        levels = len(filters)
        self.fine, self.labels = filters[0], labels
        self.network: nn.Module
        if architecture == "swin_unetr":
            self.multiple, self.deep = 32, 16 * filters[0]
            swin = SwinUNETR(
                in_channels=channels, out_channels=labels, feature_size=filters[0], use_v2=True
            )
            self.network, deepest = swin, swin.encoder10
            self.output, swin.out = swin.out, nn.Identity()  # type: ignore[assignment]
        else:
            self.multiple, self.deep = 2 ** (levels - 1), filters[-1]
            unet = DynUNet(
                spatial_dims=3, in_channels=channels, out_channels=labels, filters=list(filters),
                kernel_size=[3] * levels, strides=[1] + [2] * (levels - 1),
                upsample_kernel_size=[2] * (levels - 1), res_block=False,
            )  # fmt: skip
            self.network, deepest = unet.skip_layers, unet.bottleneck
            self.output = unet.output_block
        self._deepest: tuple[nn.Module] = (deepest,)  # a tuple, so that no weight counts twice

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.output(self.features(image)[0])
        return scores.float()

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Maps at the resolution of the image `(B, fine, D, H, W)`, and the deepest ones."""
        sides = image.shape[2:]
        missing = [-side % self.multiple for side in reversed(sides)]
        if max(sides) <= self.multiple:
            missing[0] += self.multiple  # instance normalisation needs two voxels at the deepest
        padded = functional.pad(image, [p for m in missing for p in (0, m)], mode="replicate")
        deepest: list[Tensor] = []
        hook = self._deepest[0].register_forward_hook(
            lambda module, given, out: deepest.append(out)
        )
        try:
            maps: Tensor = self.network(padded)
        finally:
            hook.remove()
        return maps[:, :, : sides[0], : sides[1], : sides[2]], deepest[0]

    def init_from(self, pretrained: Segmenter) -> Segmenter:
        """Take over all weights but those of the last layer.

        The length of a convolution's weights before a normalisation does not change what comes out,
        but the longer they are the less a step turns them. They are brought back to the length
        they had fresh, so that a pre-trained network learns as readily as a new one (van Laarhoven
        2017, "L2 regularization versus batch and weight normalization", section 3).
        """
        own, theirs = self.network.state_dict(), pretrained.network.state_dict()
        if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in theirs.items()}:
            raise ValueError("the pre-trained network has other layers")
        taken = {
            name: weight * (own[name].norm() / weight.norm().clamp(min=1e-12))
            if name.endswith(BEFORE_NORMALISATION)
            else weight
            for name, weight in theirs.items()
        }
        self.network.load_state_dict(taken)
        return self
