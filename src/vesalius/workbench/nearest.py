"""The training case that a synthetic case is most like, by the search of the audit."""

from __future__ import annotations

import threading
from dataclasses import asdict
from typing import Any

import numpy as np

from vesalius.evidence.copies import CopySearch
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.workbench.background import Background


class TrainingCases:
    """The training cohort, read once for whoever looks for copies of its cases.

    Args:
        real: cohort of the training cases; `None` where none was opened.
    """

    def __init__(self, real: Cohort | None) -> None:
        self.real = real
        self._searches: dict[bool, CopySearch] = {}
        self._reading = threading.Lock()

    @property
    def labelled(self) -> bool:
        """Whether all cases have a label map."""
        return self.real is not None and all(case.label_map for case in self.real.cases)

    def search(self, labelled: bool, progress: Progress) -> CopySearch:
        """The search among them, with their label maps or without.

        Raises:
            InputError: where no training cohort was opened, or one that cannot be searched.
        """
        if self.real is None:
            remedy = "open it too: vesalius open my-scans/ more/"
            raise InputError("training cohort", "was not opened", remedy)
        with self._reading:
            if labelled not in self._searches:
                self._searches[labelled] = CopySearch.of(self.real, labelled, progress)
            return self._searches[labelled]


class Nearest:
    """Waits for the training cases, which are read from when it is first asked on.

    Args:
        training: cases to compare with.
    """

    def __init__(self, training: TrainingCases) -> None:
        self.training = training
        self._reading = Background(lambda progress: training.search(training.labelled, progress))

    def of(self, cohort: Cohort, case: Case) -> dict[str, Any]:
        """The nearest training case, its similarity, and whether the audit calls it a copy.

        Returns:
            `waiting` with progress while the training cases are read.

        Raises:
            InputError: where no training cohort was opened, or one that cannot be searched.
        """
        search, provenance = self._reading.result(), case.provenance()
        if search is None:
            return {"waiting": self._reading.progress}
        scan = cohort.read(case) if case.label_map else cohort.read_images(case)
        similar = search.similarities(search.features(scan), search.excluded(provenance))
        row = int(np.argmax(similar["image"]))
        judged = search.judged({way: own[None] for way, own in similar.items()})
        match = search.first_match(judged, 0)
        name = match.case if match else search.training[row].name
        assert self.training.real is not None
        place = next(i for i, one in enumerate(self.training.real.cases) if one.name == name)
        return {
            "case": place, "name": name, "similarity": float(similar["image"][row]),
            "copy": asdict(match) if match else None,
        }  # fmt: skip
