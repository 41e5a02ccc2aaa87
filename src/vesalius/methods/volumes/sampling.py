"""Candidates of whole volumes: generated, and where there is a segmenter, labelled and measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Protocol

from vesalius.anatomy.attributes import attribute_values
from vesalius.sampling.rejection import Candidate, CaseRequest, Finished, Sampler
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.volume import Volume
from vesalius.training.requests import within
from vesalius.training.seeds import seed_for

if TYPE_CHECKING:
    from vesalius.methods.volumes.pipeline import VolumesPipeline


class Labeller(Protocol):
    """Puts labels on a scan, such as a trained segmenter.

    Attributes:
        name: by which it is known again.
        labels: numbers by name.
    """

    @property
    def name(self) -> str: ...

    labels: dict[str, int]

    def segment(self, scan: Scan) -> Volume:
        """The label map of a scan in its own geometry."""


class VolumesSampler(Sampler[CaseRequest]):
    """Tries volumes for a request; without a segmenter the first one is accepted.

    Args:
        pipeline: of a run.
        requested: attributes that requests name, for the columns of `cases.csv`.
        labeller: puts labels on a volume. What is measured is as good as it is.
        tolerance: largest relative error of a measured attribute.
    """

    title = "whole volumes"

    def __init__(
        self, pipeline: VolumesPipeline, requested: Sequence[str] = (),
        labeller: Labeller | None = None, tolerance: float = 0.1,
    ) -> None:  # fmt: skip
        self.pipeline, self.labeller, self.tolerance = pipeline, labeller, tolerance
        self.run, fingerprint, how = pipeline.run, pipeline.fingerprint, pipeline.sampling
        self.settings = {"sampler": how.sampler, "steps": how.steps, "guidance": how.guidance}
        self.description, self._measures = fingerprint.description, {}
        if labeller is not None:
            self.settings |= {"segmenter": labeller.name, "tolerance": tolerance}
            self._measures = {
                attribute_range.name: attribute_range.attribute
                for attribute_range in fingerprint.attributes
                if attribute_range.measure and set(attribute_range.labels) <= set(labeller.labels)
            }
            measured = tuple(self._measures.values())
            self.description = replace(
                self.description, labels=labeller.labels, attributes=measured
            )
        self.attributes = [*(f"requested_{name}" for name in requested), *self._measures]

    def candidates(self, request: CaseRequest, first: int = 0) -> Iterator[Candidate]:
        """Volumes from one seed after another, the first from that of the case."""
        target = dict(request.target)
        cells = {f"requested_{key}": float(value) for key, value in target.items()}
        for attempt in count(first):
            seed = seed_for(request.seed, "volume", attempt) if attempt else request.seed
            scan: Scan = self.pipeline.volume(seed, target or None)
            measured: dict[str, float] = {}
            if self.labeller is not None:
                label_map = self.labeller.segment(scan)
                measures, labels = self._measures.values(), self.labeller.labels
                measured = attribute_values(measures, label_map, labels)
                scan = LabelledScan(scan.channels, label_map)
            finished = Finished(scan, cells | measured, {})
            met = within(target, measured, self.tolerance)
            yield Candidate(measured, met, partial(_same, finished))


def _same(finished: Finished) -> Finished:
    """A volume that is whole already."""
    return finished
