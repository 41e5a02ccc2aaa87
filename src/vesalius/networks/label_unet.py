"""The denoiser of convolutional label codes: MONAI's diffusion U-Net, told attributes two ways."""

from __future__ import annotations

import torch
from monai.networks.nets import DiffusionModelUNet
from torch import Tensor, nn

from vesalius.networks.embedding import wave_features


class LabelUNet(nn.Module):
    """F(x, level; condition) on codes `(B, K, D, H, W)`.

    Attributes enter through cross-attention, as one token each, and as channels beside the code.

    Args:
        code_channels: K.
        conditions: length of the condition vector.
        widths: channels of each level, finest first, multiples of 8; cross-attention on the last.

    >>> net = LabelUNet(code_channels=4, conditions=2, widths=(8, 16))
    >>> net(torch.rand(2, 4, 8, 8, 8), torch.rand(2), torch.rand(2, 2)).shape
    torch.Size([2, 4, 8, 8, 8])
    """

    def __init__(self, code_channels: int, conditions: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.token = nn.Linear(32, 64)
        self.network = DiffusionModelUNet(
            spatial_dims=3, in_channels=code_channels + conditions, out_channels=code_channels,
            channels=widths, attention_levels=[False] * (len(widths) - 1) + [True],
            num_res_blocks=2, num_head_channels=8, norm_num_groups=8, with_conditioning=True,
            cross_attention_dim=64, use_flash_attention=True,
        )  # fmt: skip

    def forward(self, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        tokens = self.token(wave_features(condition, 32, longest=30.0))
        beside = condition[:, :, None, None, None].expand(-1, -1, *x.shape[2:]).to(x.dtype)
        level = level.expand(len(x)) if level.ndim == 0 else level
        out: Tensor = self.network(torch.cat([x, beside], dim=1), 1000 * level, context=tokens)
        return out.float()
