"""A generated cohort with its page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.report.generation_page import write_generation_report
from vesalius.sampling.cohort import GeneratedCohort
from vesalius.training.run import Run


@dataclass(frozen=True)
class Generated(GeneratedCohort):
    """What a generation wrote: the cohort, every draw it took, and the requests never met.

    Attributes
    ----------
    phantoms
        whether the run was fitted on phantoms, which its page says.
    """

    phantoms: bool = False

    @classmethod
    def of(cls, made: GeneratedCohort, run: Run[Any]) -> Generated:
        """The same with its page."""
        phantoms = run.fingerprint.origin == "phantom"
        return cls(made.cohort, made.draws, made.faults, phantoms)

    def report(self, path: str | Path) -> Path:
        """Write one self-contained page."""
        return write_generation_report(self, self.phantoms, Path(path))
