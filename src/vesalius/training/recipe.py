"""All settings of a fit, frozen and written down."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Frozen settings that refuse unknown names and have a hash.

    >>> FitRecipe(steps=10, batch_size=2).digest == FitRecipe(batch_size=2, steps=10).digest
    True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change with any setting."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class FitRecipe(Settings):
    """How one network is fitted.

    Attributes:
        steps: optimiser steps.
        batch_size: cases a step, over all processes.
        learning_rate: highest, after `warmup_steps`; falls to zero along a cosine.
        moving_average: decay of the average of the weights that is kept in the end.
        betas: of Adam's moments.
        gradient_clip: largest norm of a gradient.
        precision: of the arithmetic in Lightning Fabric's words.
        validate_every: steps between looks at held-out cases, 0 for none. With it the weights of
            the best look are kept.
    """

    steps: int = Field(ge=0)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    warmup_steps: int = 20
    weight_decay: float = 1e-4
    moving_average: float = Field(default=0.99, ge=0, lt=1)
    betas: tuple[float, float] = (0.9, 0.99)
    gradient_clip: float = 1.0
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    validate_every: int = 0
