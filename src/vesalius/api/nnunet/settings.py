"""What the trainer is told by the environment, as nnU-Net's own commands take no settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from pydantic import Field

from vesalius.scans.formats.json_file import OBJECT, read_json
from vesalius.scans.input_error import InputError
from vesalius.training.recipe import Settings

PREFIX = "VESALIUS_"


class MixingSettings(Settings):
    """How synthetic cases are mixed in.

    Attributes:
        run: `VESALIUS_RUN`, folder of a run of guided synthesis.
        targets: `VESALIUS_TARGETS`, ranges such as `ventricle_volume_ml=20:160`, by spaces.
        share: `VESALIUS_SHARE`, of training cases that are synthetic.
        fresh: `VESALIUS_FRESH`, new cases in each epoch, which replace the oldest.
        seed: `VESALIUS_SEED`, of the cases.
        allow_seen: `VESALIUS_ALLOW_SEEN`, whether cases that the run has learnt from may validate.
        cohort: `VESALIUS_COHORT`, the run's training cohort: copies of its cases are not used.

    >>> MixingSettings(run="runs/brain", targets={"x_ml": (1, 2)}, share=0.5).slots(30)
    30
    >>> MixingSettings.of_environment({})
    Traceback (most recent call last):
    vesalius.scans.input_error.InputError: VESALIUS_RUN: is not set; point it at a run of guided ...
    """

    run: str
    targets: dict[str, tuple[float, float]]
    share: float = Field(default=0.5, gt=0, lt=1)
    fresh: int = Field(default=4, ge=0)
    seed: int = 0
    cohort: str = ""
    allow_seen: bool = False

    @classmethod
    def of_environment(cls, given: Mapping[str, str] | None = None) -> Self:
        """As the environment has them.

        Raises:
            InputError: for one that is missing or is none.
        """
        found = os.environ if given is None else given
        own = {
            name: found[PREFIX + name.upper()]
            for name in cls.model_fields if PREFIX + name.upper() in found
        }  # fmt: skip
        for name, remedy in (
            ("run", "point it at a run of guided synthesis"),
            ("targets", "write ranges such as ventricle_volume_ml=20:160"),
        ):
            if not own.get(name):
                raise InputError(PREFIX + name.upper(), "is not set", remedy)
        targets = {}
        for text in own["targets"].split():
            name, _, ends = text.partition("=")
            low, _, high = ends.partition(":")
            try:
                targets[name] = (float(low), float(high))
            except ValueError:
                remedy = "write it as name=20:160"
                raise InputError(f"{PREFIX}TARGETS", f"holds {text}", remedy) from None
        try:
            return cls.model_validate(own | {"targets": targets})
        except ValueError as error:
            fault = "holds a setting that is none: " + str(error).splitlines()[1]
            raise InputError(f"{PREFIX}…", fault, "see MixingSettings") from error

    def require_unseen(self, validating: Sequence[str]) -> None:
        """Refuse validation cases that the run has learnt from.

        Raises:
            InputError: naming one of them.
        """
        path = Path(self.run) / "split.json"
        if self.allow_seen or not path.is_file():
            return
        fitted = set(read_json(path, OBJECT).get("fitted", ()))
        seen = next((name for name in validating if name in fitted), None)
        if seen is not None:
            fault = f"has learnt from {seen}, which validates in this fold"
            remedy = "fit a run without that fold, or set VESALIUS_ALLOW_SEEN=1"
            raise InputError(self.run, fault, remedy)

    def slots(self, real: int) -> int:
        """How many synthetic cases stand among some real ones."""
        return max(1, round(real * self.share / (1 - self.share)))
