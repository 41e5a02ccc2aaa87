"""What stands between encoder and decoder: a codebook that follows its vectors, or a Gaussian.

Both answer the same questions: what is the code of these features (`code`), what does the decoder
see of a code (`quantize`), and what must be added to a loss (`forward`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributed import ReduceOp, all_reduce, broadcast, is_initialized
from torch.nn import functional

VECTORS_AT_ONCE = 4096
"""Vectors whose distances to all codes are held in memory at once."""

FREE_NATS = 0.5
"""Information each channel of a code may carry at no cost, so that none falls silent for good
(Kingma et al. 2016, "Improved variational inference with inverse autoregressive flow", eq. 15)."""


class Quantized(NamedTuple):
    """What the decoder sees, `(B, K, D, H, W)`, and what is added to the loss."""

    code: Tensor
    loss: Tensor


class Codebook(nn.Module):
    """A vector quantiser whose codes are moving averages of what they stand for.

    van den Oord et al. 2017, "Neural discrete representation learning", eq. 2 and appendix A.1. A
    code that is chosen far less often than the average is put where a random vector of the batch
    lies (Dhariwal et al. 2020, "Jukebox", appendix B.1). Everything is computed in full precision.

    Args:
        channels: K, of a code.
        size: number of codes.
        decay: of the moving averages.
        commitment: weight of the loss that ties the encoder to its codes.
        fewest: share of the average number of choices below which a code counts as dead.

    >>> _ = torch.manual_seed(0)
    >>> book = Codebook(channels=2, size=8)
    >>> code, loss = book(torch.randn(1, 2, 4, 4, 4))
    >>> code.shape, len(book.quantize(code).flatten(2)[0].T.unique(dim=0)) <= 8
    (torch.Size([1, 2, 4, 4, 4]), True)
    """

    features_per_channel = 1

    def __init__(
        self, channels: int, size: int, decay: float = 0.99, commitment: float = 0.25,
        fewest: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.decay, self.commitment, self.fewest = size, decay, commitment, fewest
        self.register_buffer("codes", torch.randn(size, channels))
        self.register_buffer("sums", torch.zeros(size, channels))
        self.register_buffer("chosen", torch.zeros(size))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))
        self.codes: Tensor
        self.sums: Tensor
        self.chosen: Tensor
        self.started: Tensor

    def forward(self, features: Tensor) -> Quantized:
        """Codes with gradients passed straight through; while training, the codebook follows."""
        with torch.autocast(features.device.type, enabled=False):
            vectors = _vectors(features.float())
            if self.training and not self.started:
                self._place(torch.ones_like(self.chosen, dtype=torch.bool), vectors.detach())
                self.started.fill_(True)
            numbers = self.numbers_of(vectors)
            if self.training:
                self._follow(vectors.detach(), numbers)
            nearest = _volume(self.codes[numbers], features)
            commitment = functional.mse_loss(features.float(), nearest)
            code = features.float() + (nearest - features.float()).detach()
        return Quantized(code, self.commitment * commitment)

    def code(self, features: Tensor) -> Tensor:
        """The features themselves: diffusion works before quantisation."""
        return features.float()

    def quantize(self, code: Tensor) -> Tensor:
        """The nearest codes."""
        return _volume(self.codes[self.numbers_of(_vectors(code.float()))], code)

    def numbers_of(self, vectors: Tensor) -> Tensor:
        """Which code is nearest to each of `(V, K)`, `(V,)`."""
        squares = (self.codes**2).sum(dim=1)
        nearest = [
            (squares - 2 * part @ self.codes.T).argmin(dim=1)
            for part in vectors.detach().split(VECTORS_AT_ONCE)
        ]
        return torch.cat(nearest)

    @property
    def in_use(self) -> float:
        """Share of the codes that are not dead."""
        return float((~self._dead).float().mean())

    @property
    def perplexity(self) -> float:
        """How many codes would be in use if all in use were chosen alike."""
        return perplexity_of(self.chosen)

    @torch.no_grad()
    def _follow(self, vectors: Tensor, numbers: Tensor) -> None:
        """Sums and counts of the vectors that chose each code, averaged; dead codes begin anew."""
        ones = torch.ones_like(vectors[:, 0])
        chosen = torch.zeros_like(self.chosen).index_add_(0, numbers, ones)
        sums = torch.zeros_like(self.sums).index_add_(0, numbers, vectors)
        if is_initialized():
            all_reduce(chosen, ReduceOp.SUM)
            all_reduce(sums, ReduceOp.SUM)
        self.chosen.lerp_(chosen, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        self.codes.copy_(self.sums / self.chosen.clamp(min=1e-5)[:, None])
        self._place(self._dead, vectors)

    @torch.no_grad()
    def _place(self, where: Tensor, vectors: Tensor) -> None:
        """Put some codes on random vectors, as if each had always been chosen as often as any."""
        rows = torch.randint(len(vectors), (self.size,), device="cpu").to(vectors.device)
        fresh, average = vectors[rows], self.chosen.mean().clamp(min=1)
        if is_initialized():
            broadcast(fresh, 0)
        self.codes.copy_(torch.where(where[:, None], fresh, self.codes))
        self.sums.copy_(torch.where(where[:, None], fresh, self.sums))
        self.sums.mul_(torch.where(where, average, 1.0)[:, None])
        self.chosen.copy_(torch.where(where, average, self.chosen))

    @property
    def _dead(self) -> Tensor:
        return self.chosen < self.fewest * self.chosen.mean()


class Gaussian(nn.Module):
    """The bottleneck of a KL autoencoder: a normal distribution for each voxel of the code.

    Kingma and Welling 2014, "Auto-encoding variational Bayes", eq. 10.

    Args:
        weight: of the Kullback-Leibler divergence from N(0, 1).

    >>> code, loss = Gaussian(1e-3)(torch.randn(1, 8, 2, 2, 2))
    >>> code.shape
    torch.Size([1, 4, 2, 2, 2])
    """

    features_per_channel = 2

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, features: Tensor) -> Quantized:
        """A draw of the code."""
        mean, log_variance = features.float().chunk(2, dim=1)
        log_variance = log_variance.clamp(-12, 4)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
        loss = divergence.mean(dim=(0, 2, 3, 4)).clamp(min=FREE_NATS).mean()
        noise = torch.randn(mean.shape).to(mean.device)
        return Quantized(mean + torch.exp(0.5 * log_variance) * noise, self.weight * loss)

    def code(self, features: Tensor) -> Tensor:
        """The mean."""
        return features.float().chunk(2, dim=1)[0]

    def quantize(self, code: Tensor) -> Tensor:
        """The code as it is."""
        return code


def perplexity_of(chosen: Tensor) -> float:
    """How many codes would be in use if all in use were chosen alike, from counts `(N,)`.

    >>> round(perplexity_of(torch.tensor([5.0, 5.0, 0.0])), 3)
    2.0
    """
    share = chosen / chosen.sum().clamp(min=1e-12)
    return float(torch.exp(-(share * share.clamp(min=1e-12).log()).sum()))


def _vectors(code: Tensor) -> Tensor:
    return code.movedim(1, -1).flatten(0, -2)


def _volume(vectors: Tensor, like: Tensor) -> Tensor:
    b, _, *grid = like.shape
    return vectors.reshape(b, *grid, vectors.shape[1]).movedim(-1, 1)
