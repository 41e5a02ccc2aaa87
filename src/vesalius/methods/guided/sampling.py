"""Candidates of guided synthesis: label maps are measured, and one that fits gets an image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from vesalius.anatomy.attributes import attribute_values
from vesalius.sampling.rejection import Candidate, CaseRequest, Finished, Sampler
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume
from vesalius.training.requests import within
from vesalius.training.seeds import seed_for

if TYPE_CHECKING:
    from vesalius.methods.guided.pipeline import GuidedPipeline


class GuidedSampler(Sampler[CaseRequest]):
    """Tries label maps for a request, and makes the image of one that is accepted.

    Args:
        pipeline: of a run.
        tolerance: largest relative error of a measured attribute.
    """

    title = "guided synthesis"

    def __init__(self, pipeline: GuidedPipeline, tolerance: float = 0.1) -> None:
        if not 0 < tolerance < 1:
            raise InputError("tolerance", "must lie between 0 and 1", "choose another")
        self.pipeline, self.tolerance = pipeline, tolerance
        self.run = pipeline.run
        self.description = pipeline.fingerprint.description
        self.attributes = [
            attribute_range.name for attribute_range in pipeline.fingerprint.attributes
        ]
        self.settings = {"tolerance": tolerance, "guidance": pipeline.guidance}

    def candidates(self, request: CaseRequest, first: int = 0) -> Iterator[Candidate]:
        """Label maps from one seed after another; attributes left open vary as in the cohort."""
        for attempt in count(first):
            label_map, measured = self.label_map(request, attempt)
            met = within(request.target, measured, self.tolerance)
            yield Candidate(measured, met, partial(self._finished, label_map, measured, request))

    def label_map(self, request: CaseRequest, attempt: int = 0) -> tuple[Volume, dict[str, float]]:
        """The label map of one try at a request, and what it measures."""
        fingerprint = self.pipeline.fingerprint
        seed = seed_for(request.seed, "labels", attempt)
        rng = np.random.default_rng(seed)
        normal = [
            float(max(0.0, attribute_range.mean + attribute_range.sd * rng.standard_normal()) ** 2)
            for attribute_range in fingerprint.attributes
        ]
        values = dict(zip(self.attributes, normal, strict=True)) | dict(request.target)
        label_map = self.pipeline.label_map(list(values.values()), seed)
        attributes = [attribute_range.attribute for attribute_range in fingerprint.attributes]
        return label_map, attribute_values(attributes, label_map, fingerprint.labels)

    def _finished(
        self, label_map: Volume, measured: dict[str, float], request: CaseRequest
    ) -> Finished:
        scan = self.pipeline.image(label_map, seed_for(request.seed, "image"))
        return Finished(scan, measured, {})
