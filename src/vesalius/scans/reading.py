"""Many scans as a sequence that holds one of them: each is read when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vesalius.scans.case import Case, Scan
from vesalius.scans.cohort import Cohort


class Scans(Sequence[Any]):
    """Scans of cases, each read from its files whenever it is asked for.

    The last one is kept, for work that comes back to it.

    Args:
        pairs: cases with their cohorts, in the order of the scans.
        labelled: read label maps as well.
    """

    def __init__(self, pairs: Sequence[tuple[Cohort, Case]], labelled: bool = True) -> None:
        self.pairs, self.labelled = tuple(pairs), labelled
        self._last: tuple[int, Scan] | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, place: Any) -> Any:
        """The scan at a row, or the scans of a slice.

        Raises:
            InputError: for files that are damaged.
        """
        if isinstance(place, slice):
            return Scans(self.pairs[place], self.labelled)
        if self._last is None or self._last[0] != place:
            cohort, case = self.pairs[place]
            read = cohort.read if self.labelled else cohort.read_images
            self._last = (place, read(case))
        return self._last[1]
