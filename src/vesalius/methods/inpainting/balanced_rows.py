"""How often each training crop is seen: findings often enough, each pathology alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def balanced_rows(groups: Sequence[str | None], positive_share: float) -> Tensor:
    """Numbers of crops, repeated so that findings are `positive_share` of them, each kind alike.

    >>> rows = balanced_rows([None] * 8 + ["herniation", "stenosis"], positive_share=0.5)
    >>> round(float((rows >= 8).float().mean()), 2), int((rows == 8).sum() == (rows == 9).sum())
    (0.5, 1)
    """
    positive = sorted({group for group in groups if group})
    shares = {group: positive_share / len(positive) for group in positive}
    if None in groups:
        shares[None] = 1 - positive_share  # type: ignore[index]
    total = 4 * len(groups)
    parts = []
    for group, share in shares.items():
        members = torch.tensor([row for row, own in enumerate(groups) if own == group])
        parts.append(members[torch.arange(max(1, round(share * total))) % len(members)])
    return torch.cat(parts)
