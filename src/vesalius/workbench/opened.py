"""What lies at the paths that the workbench was opened on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vesalius.api.fitting import load
from vesalius.methods import method_of
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import FILE_NAME as DESCRIPTION
from vesalius.scans.input_error import InputError

RECIPE = "recipe.json"


@dataclass(frozen=True)
class OpenedRun:
    """A run, loaded when something is asked of it first.

    Attributes:
        folder: of the run.
        method: its name.
    """

    folder: Path
    method: str

    @cached_property
    def pipeline(self) -> Any:
        """The loaded run."""
        return load(self.folder)


@dataclass(frozen=True)
class Opened:
    """Cohorts and runs, in the order in which they were named."""

    cohorts: tuple[Cohort, ...]
    runs: tuple[OpenedRun, ...]

    @classmethod
    def of(cls, paths: Sequence[Path]) -> Opened:
        """Look at each path; no voxel is read and no network loaded.

        Raises:
            InputError: for a path that is neither a cohort nor a run.
        """
        cohorts, runs = [], []
        for path in paths:
            if (path / RECIPE).is_file():
                runs.append(OpenedRun(path, method_of(path).name))
            elif (path / DESCRIPTION).is_file():
                cohorts.append(Cohort.open(path, labelled=False))
            else:
                fault = "is neither a cohort nor a run"
                raise InputError(path, fault, "point at a folder with dataset.json or recipe.json")
        return cls(tuple(cohorts), tuple(runs))

    def real(self) -> Cohort | None:
        """The first cohort that has a case which no run made."""
        return next(
            (one for one in self.cohorts if any(not case.synthetic for case in one.cases)), None
        )
