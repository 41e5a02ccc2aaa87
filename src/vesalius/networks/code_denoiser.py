"""The denoiser of a shape space: a residual network on codes, told attributes."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from vesalius.networks.embedding import LevelAndCondition


class CodeDenoiser(nn.Module):
    """F(x, level; condition) on codes `(B, K)`: residual layers scaled and shifted by a vector.

    Dropout is what keeps a few hundred codes from being learnt by heart.

    Args:
        code_size: K.
        conditions: length of the condition vector.
        width, blocks: of the residual layers.
        dropout: share of hidden units silenced in training.

    >>> import torch
    >>> net = CodeDenoiser(code_size=16, conditions=2, width=32, blocks=2, dropout=0.1)
    >>> net(torch.rand(4, 16), torch.rand(4), torch.rand(4, 2)).shape
    torch.Size([4, 16])
    """

    def __init__(
        self, code_size: int, conditions: int, width: int, blocks: int, dropout: float
    ) -> None:
        super().__init__()
        self.embed = LevelAndCondition(conditions, width)
        self.conv_in = nn.Linear(code_size, width)
        self.norms = nn.ModuleList(
            [nn.LayerNorm(width, elementwise_affine=False) for _ in range(blocks)]
        )
        self.scale_shift = nn.ModuleList([nn.Linear(width, 2 * width) for _ in range(blocks)])
        self.layers = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width)
                )
                for _ in range(blocks)
            ]
        )
        self.conv_out = nn.Linear(width, code_size)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, x: Tensor, level: Tensor, condition: Tensor) -> Tensor:
        vector = self.embed(level.expand(len(x)) if level.ndim == 0 else level, condition)
        h = self.conv_in(x)
        for norm, modulate, layer in zip(self.norms, self.scale_shift, self.layers, strict=True):
            scale, shift = modulate(vector).chunk(2, dim=1)
            h = h + layer(norm(h) * (1 + scale) + shift)
        out: Tensor = self.conv_out(functional.silu(h))
        return out
