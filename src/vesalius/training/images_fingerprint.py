"""What was measured on classified images before a fit."""

from __future__ import annotations

import numpy as np

from vesalius.scans.classified import Classified
from vesalius.training.content import content_digest
from vesalius.training.recipe import Settings


class ImagesFingerprint(Settings):
    """Everything about classified images that a run must know.

    Attributes:
        prevalence: of each label, where it is known.
        shape: of an image, without its channels.
        content: hash of images and targets.

    >>> images = Classified(np.zeros((2, 1, 4, 4)), np.array([[1.0], [np.nan]]), ("nodule",),
    ...                     ("a", "b"), ("s", "s"), ("", ""))
    >>> fingerprint = ImagesFingerprint.of(images)
    >>> fingerprint.subjects, fingerprint.shape, fingerprint.prevalence
    (1, (4, 4), (1.0,))
    """

    images: int
    subjects: int
    labels: tuple[str, ...]
    prevalence: tuple[float, ...]
    channels: int
    shape: tuple[int, ...]
    origin: str
    content: str

    @classmethod
    def of(cls, images: Classified) -> ImagesFingerprint:
        """Measure them."""
        return cls(
            images=len(images), subjects=len(set(images.subjects)), labels=images.labels,
            prevalence=tuple(float(np.nanmean(column)) for column in images.targets.T),
            channels=images.images.shape[1], shape=images.images.shape[2:], origin=images.origin,
            content=content_digest((images.images, images.targets)),
        )  # fmt: skip

    @property
    def counted(self) -> str:
        """How much was learnt from, in words."""
        return f"{self.images} images of {self.subjects} subjects"
