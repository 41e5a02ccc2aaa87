"""What was measured on visits before a fit."""

from __future__ import annotations

from vesalius.scans.visits import Visits
from vesalius.training.content import content_digest
from vesalius.training.recipe import Settings


class VisitsFingerprint(Settings):
    """Everything about visits that a run must know.

    Attributes:
        followed: subjects who came twice or more.
        longest_years: between first and last visit.
        shape: of a picture, without its channels.
        content: hash of pictures and years.

    >>> import numpy as np
    >>> visits = Visits(np.zeros((3, 1, 4, 4)), ("a", "b", "c"), ("s", "t", "s"),
    ...                 np.array([4.0, 0.0, 0.0]), np.zeros(3, bool), {}, ("",) * 3,
    ...                 ("s", "t", "s"))
    >>> fingerprint = VisitsFingerprint.of(visits)
    >>> fingerprint.subjects, fingerprint.followed, fingerprint.longest_years
    (2, 1, 4.0)
    """

    pictures: int
    subjects: int
    followed: int
    longest_years: float
    channels: int
    shape: tuple[int, ...]
    origin: str
    content: str

    @classmethod
    def of(cls, visits: Visits) -> VisitsFingerprint:
        """Measure them."""
        followed = visits.followed()
        spans = [float(visits.years[rows[-1]] - visits.years[rows[0]]) for rows in followed]
        return cls(
            pictures=len(visits), subjects=len(set(visits.subjects)), followed=len(spans),
            longest_years=max(spans, default=0.0), channels=visits.images.shape[1],
            shape=visits.images.shape[2:], origin=visits.origin,
            content=content_digest((visits.images, visits.years)),
        )  # fmt: skip

    @property
    def counted(self) -> str:
        """How much was learnt from, in words."""
        return (
            f"{self.pictures} pictures of {self.subjects} subjects, {self.followed} of whom came "
            f"again within {self.longest_years:g} years"
        )
