"""Membership inference: can an outsider tell from synthetic volumes who was trained on?

The attack scores each real volume by its similarity to the nearest synthetic one. If training
volumes score higher than held-out ones, the synthetic set gives away who was in the training set.
After Chen et al. 2020, "GAN-Leaks: a taxonomy of membership inference attacks against generative
models", the attack without access to the model.
"""

from __future__ import annotations

import numpy as np

from vesalius.evidence.discrimination import auc
from vesalius.evidence.figure import Figure
from vesalius.evidence.intervals import bootstrapped


def membership_auc(training: np.ndarray, held_out: np.ndarray) -> Figure:
    """AUC of the attack; 0.5 gives nobody away.

    Args:
        training, held_out: similarity of real volumes to every synthetic one, `(N, M)`, `(H, M)`.

    >>> rng = np.random.default_rng(0)
    >>> blind = membership_auc(rng.random((60, 20)), rng.random((60, 20)))
    >>> blind.ci95[0] < 0.5 < blind.ci95[1]
    True
    """
    scores = np.concatenate([training.max(axis=1), held_out.max(axis=1)])
    member = np.repeat([1.0, 0.0], [len(training), len(held_out)])
    return bootstrapped([scores, member], auc, "", "real cases")
