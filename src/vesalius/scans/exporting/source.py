"""What is exported: the cases of a cohort and of synthetic ones that go with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from vesalius.scans.case import Case, LabelledScan, Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError


@dataclass(frozen=True)
class ExportCase:
    """A case and the cohort that knows how to read it."""

    cohort: Cohort
    case: Case

    def read(self) -> Scan:
        """The images, and the label map if there is one."""
        if self.case.label_map is None:
            return self.cohort.read_images(self.case)
        return self.cohort.read(self.case)

    def read_labelled(self) -> LabelledScan:
        """Images and label map; a case without one is refused."""
        return self.cohort.read(self.case)


def cases_of(cohort: Cohort, further: Sequence[Cohort] = ()) -> tuple[ExportCase, ...]:
    """All cases in order, those of the first cohort first.

    Raises:
        InputError: for cohorts of other channels or labels, or a name that two cases have.
    """
    first = cohort.description
    for other in further:
        for what in ("channels", "labels"):
            if getattr(other.description, what) != getattr(first, what):
                fault = f"has other {what} than {cohort.folder}"
                raise InputError(other.folder, fault, "export them apart")
    result = tuple(
        ExportCase(own.alone(), case) for own in (cohort, *further) for case in own.cases
    )
    name, count = Counter(one.case.name for one in result).most_common(1)[0]
    if count > 1:
        raise InputError(cohort.folder, f"and what is added both have a case {name}", "rename one")
    return result


def origin_of(description: Description, case: Case) -> str:
    """What a reader must know of a case: `synthetic`, `phantom`, or nothing for real scans."""
    return "synthetic" if case.synthetic else description.origin
