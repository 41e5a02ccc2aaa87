"""A two-sample test: can a classifier tell generated from real, on cases that it has not seen?

Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests". Half of each set teaches, the
other half is asked about, then the other way round. An area under the curve of 0.5 says that the
classifier cannot tell, which a better one might; so a linear one on pinned features stands beside a
small network that is trained on the images themselves, against which nothing is ever trained.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional

from vesalius.evidence.discrimination import auc, resampled
from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import RESAMPLES
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.device import fabric_for
from vesalius.training.loop import fit_network
from vesalius.training.objective import Objective
from vesalius.training.recipe import FitRecipe

FEWEST = 8
"""Cases of each set below which nobody learns to tell them."""

LONGEST = 64
"""Voxels along an axis that the network sees at a time."""

FIT = FitRecipe(
    steps=200, batch_size=8, learning_rate=2e-3, warmup_steps=10, weight_decay=1e-2,
    moving_average=0.9,
)  # fmt: skip

Cases = Sequence[np.ndarray] | np.ndarray
Judge = Callable[[Cases, np.ndarray, Cases, int], np.ndarray]
"""From cases to learn from, what they are (1 for generated), others, and a seed, to a score each of
the others: the higher, the likelier generated."""


def two_sample_auc(
    real: Cases, generated: Cases, judge: Judge, seed: int = 0,
    real_subjects: Sequence[str] = (), generated_subjects: Sequence[str] = (),
) -> Figure:  # fmt: skip
    """How well a classifier tells generated from real: mean area under the curve of two folds.

    Args:
        real, generated: `(N, ...)` and `(M, ...)`, of about as many cases; may lie on disk.
        judge: such as `linear_judge` or `network_judge`.
        seed: of the halves, and of the judge.
        real_subjects, generated_subjects: whose cases are kept on one side; each is its own if
            empty.

    Returns:
        The area, with n the subjects of the smaller set, and the interval of a bootstrap over
        subjects for the classifiers as they are.

    Raises:
        ValueError: for fewer than 8 subjects in a set.

    >>> rng = np.random.default_rng(0)
    >>> real, other = rng.normal(size=(2, 60, 20))
    >>> two_sample_auc(real, other, linear_judge).value < 0.7
    True
    >>> two_sample_auc(real, other + 1, linear_judge).value > 0.9
    True
    """
    cases = [*real, *generated]
    truth = np.repeat([0.0, 1.0], [len(real), len(generated)])
    sides = [
        [f"{side} {who}" for who in own or range(len(given))]
        for side, own, given in (("real", real_subjects, real),
                                 ("generated", generated_subjects, generated))
    ]  # fmt: skip
    smaller = min(len(set(own)) for own in sides)
    if smaller < FEWEST:
        raise ValueError(f"{FEWEST} subjects of each set are the least, not {smaller}")
    subjects = np.concatenate([np.array(own) for own in sides])
    first = np.concatenate([_half(own, seed) for own in sides])
    rng = np.random.default_rng(seed)
    areas, replicates = [], []
    for asked in (first, ~first):
        learnt, rest = (np.flatnonzero(which).tolist() for which in (~asked, asked))
        scores = judge(
            [cases[row] for row in learnt], truth[~asked], [cases[row] for row in rest], seed
        )[:, None]
        own = truth[asked][:, None]
        areas.append(auc(scores[:, 0], own[:, 0]))
        known, number = np.unique(subjects[asked], return_inverse=True)
        taken = rng.multinomial(len(known), np.full(len(known), 1 / len(known)), RESAMPLES)
        replicates.append(resampled(scores, own, taken[:, number].astype(np.float32)))
    low, high = np.nanpercentile(np.mean(replicates, axis=0), [2.5, 97.5])
    return Figure(
        float(np.mean(areas)), "AUC", smaller, (float(low), float(high)), counts="subjects",
        interval=f"percentile bootstrap over subjects, {RESAMPLES} resamples, judges as they are",
    )  # fmt: skip


def _half(subjects: Sequence[str], seed: int) -> np.ndarray:
    """Which cases belong to one half of the subjects, `(N,)`."""
    known = sorted(set(subjects))
    order = np.random.default_rng(seed).permutation(len(known))
    chosen = {known[place] for place in order[: len(known) // 2]}
    return np.array([subject in chosen for subject in subjects])


def linear_judge(
    cases: Cases, truth: np.ndarray, others: Cases, seed: int
) -> np.ndarray:  # fmt: skip
    """Logistic regression on the principal components of standardised features.

    Args:
        cases: features `(N, ...)`.
        truth: 1 for generated, `(N,)`.
        others: features `(M, ...)`.
        seed: of the components, where they are sketched.
    """
    rows, asked = (np.stack([*one]).reshape(len(one), -1) for one in (cases, others))
    components = max(1, min(32, len(rows) // 4, rows.shape[1]))
    model = make_pipeline(
        StandardScaler(), PCA(components, whiten=True, random_state=seed),
        LogisticRegression(C=0.1, max_iter=1000),
    )  # fmt: skip
    scores: np.ndarray = model.fit(rows, truth).decision_function(asked)
    return scores


def network_judge(
    cases: Cases, truth: np.ndarray, others: Cases, seed: int,
    recipe: FitRecipe = FIT, progress: Progress = no_progress,
) -> np.ndarray:  # fmt: skip
    """A small convolutional network on the images themselves.

    Args:
        cases: volumes `(N, D, H, W)`, or pictures `(N, H, W)`, in about [0, 1].
        truth: 1 for generated, `(N,)`.
        others: volumes or pictures, which are scored as a whole.
        seed: of the fit.
        recipe: of the fit.
        progress: called after each step.
    """
    torch.manual_seed(seed)
    objective = _RealOrGenerated(cases, truth)
    with tempfile.TemporaryDirectory() as folder:
        fit_network(objective, len(cases), recipe, seed, "two_sample", Path(folder), progress)
    fabric, scores = fabric_for(recipe.precision), []
    with torch.no_grad(), fabric.autocast():
        for one in others:
            image = torch.from_numpy(np.array(one, np.float32))[None, None].to(fabric.device)
            scores.append(float(objective.network(image).float()))
    return np.array(scores)


class _RealOrGenerated(Objective):
    """Cross-entropy of what each image is: crops of it, each turned left to right or not."""

    def __init__(self, cases: Cases, truth: np.ndarray) -> None:
        super().__init__()
        self.cases, self.truth = cases, truth
        self.network = _network(cases[0].ndim)

    def batch(self, rows: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images `(B, 1, ...)` and what they are `(B,)`."""
        shape = self.cases[0].shape
        sides = [min(LONGEST, side) for side in shape]
        images = []
        for row in rows.tolist():
            starts = [
                int(torch.randint(whole - side + 1, (1,), generator=rng))
                for whole, side in zip(shape, sides, strict=True)
            ]
            box = tuple(slice(at, at + side) for at, side in zip(starts, sides, strict=True))
            image = torch.from_numpy(np.array(self.cases[row][box], np.float32))
            flipped = float(torch.rand(1, generator=rng)) < 0.5
            sideways = 0 if image.ndim == 3 else 1
            images.append(image.flip(sideways) if flipped else image)
        return torch.stack(images)[:, None], torch.from_numpy(self.truth)[rows].float()

    def forward(self, batch: tuple[Tensor, Tensor], rng: torch.Generator) -> Tensor:
        """The loss of a batch."""
        images, truth = batch
        return functional.binary_cross_entropy_with_logits(
            self.network(images)[:, 0].float(), truth
        )


def _network(dimensions: int) -> nn.Module:
    """Four stages at half the resolution each; what they see is averaged over the whole image."""
    convolution = nn.Conv3d if dimensions == 3 else nn.Conv2d
    pool = nn.AdaptiveAvgPool3d(1) if dimensions == 3 else nn.AdaptiveAvgPool2d(1)
    layers: list[nn.Module] = []
    width = 1
    for wider in (16, 32, 64, 64):
        layers += [
            convolution(width, wider, 3, stride=2, padding=1), nn.GroupNorm(8, wider), nn.SiLU(),
        ]  # fmt: skip
        width = wider
    return nn.Sequential(*layers, pool, nn.Flatten(), nn.Linear(width, 1))
