"""Candidates of pathology inpainting: a finding is set into a scan, and measured there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from vesalius.anatomy.attributes import attribute_of, attribute_value
from vesalius.sampling.rejection import Candidate, CaseRequest, Finished, Sampler
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import Landmark
from vesalius.training.seeds import seed_for

if TYPE_CHECKING:
    from vesalius.methods.inpainting.pipeline import InpaintingPipeline


@dataclass(frozen=True)
class FindingRequest:
    """A finding asked for.

    Attributes:
        pathology: such as `herniation`, or the name of a lesion.
        level: of the spine, or the label of the organ that a lesion lies in.
        size_mm: depth of a herniation, diameter left of a canal, or diameter of a lesion.
        point_mm: in RAS millimetres; the usual place, or one by chance for lesions, if `None`.
    """

    pathology: str
    level: str
    size_mm: float
    point_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class EditRequest(CaseRequest):
    """One edited scan: see `edit_request`.

    Attributes:
        donor: case that the finding is set into.
        finding: what, where and how large.
        known: landmarks that the donor has already; they stay with the edited scan.
    """

    donor: Case
    finding: FindingRequest
    known: tuple[Landmark, ...] = ()


def edit_request(
    name: str, donor: Case, finding: FindingRequest, seed: int, known: Sequence[Landmark] = ()
) -> EditRequest:  # fmt: skip
    """Ask for a finding in a scan.

    The case keeps the subject and the split of its donor, so that no split by subject parts them.
    """
    target: dict[str, Any] = {
        "pathology": finding.pathology, "level": finding.level, "size_mm": finding.size_mm,
    }  # fmt: skip
    return EditRequest(
        name, seed, target, donor.subject, donor.visit, donor.split, donor.name,
        {"parent_images": donor.images_digest()}, donor=donor, finding=finding, known=tuple(known),
    )  # fmt: skip


class InpaintingSampler(Sampler[EditRequest]):
    """Tries edits of a scan for a request.

    Args:
        pipeline: of a run.
        source: cohort of the donors, or scans by name of the donor.
        attributes: columns of `cases.csv`, each measured again on what came out where it can be,
            otherwise taken from the donor.
        tolerance_mm: largest error of the measured size.
    """

    title = "pathology inpainting"

    def __init__(
        self, pipeline: InpaintingPipeline, source: Cohort | Mapping[str, LabelledScan],
        attributes: Sequence[str], tolerance_mm: float = 1.0,
    ) -> None:  # fmt: skip
        if not tolerance_mm > 0:
            raise InputError("tolerance", f"{tolerance_mm:g} mm is none", "give some millimetres")
        self.pipeline, self.tolerance_mm = pipeline, tolerance_mm
        self.source = source.alone() if isinstance(source, Cohort) else source
        self.run, self.attributes = pipeline.run, attributes
        self.description = Description(
            pipeline.fingerprint.channels, pipeline.labels,
            attributes=pipeline.sites.declared, origin="synthetic",
        )  # fmt: skip
        self.settings = {"inpainting_method": pipeline.method, "tolerance_mm": tolerance_mm}

    def candidates(self, request: EditRequest, first: int = 0) -> Iterator[Candidate]:
        """Edits from one seed after another.

        Raises:
            InputError: for a scan that cannot be read, or that cannot take the finding.
        """
        finding, donor = request.finding, request.donor
        read = isinstance(self.source, Cohort)
        scan = self.source.read(donor) if read else self.source[donor.name]  # type: ignore[index,union-attr]
        finding = self.pipeline.placed(scan, finding, request.seed)
        self.pipeline.require_possible(scan, finding, donor.name)
        name = self.pipeline.sites.attribute(finding.pathology, finding.level)
        for attempt in count(first):
            edit = self.pipeline.edit(scan, finding, seed_for(request.seed, "edit", attempt))
            measured = self.pipeline.measured(
                edit.scan, finding.pathology, finding.level, before=scan
            )
            met = abs(measured - finding.size_mm) <= self.tolerance_mm
            met &= self.pipeline.sites.whole(edit.scan, finding.pathology, scan)
            finish = partial(self._finished, request, finding, scan, edit.scan, measured)
            yield Candidate({name: measured}, met, finish)

    def _finished(
        self, request: EditRequest, finding: FindingRequest, before: LabelledScan,
        after: LabelledScan, measured_mm: float,
    ) -> Finished:  # fmt: skip
        values = {
            name: _value(name, after, request.donor, self.description) for name in self.attributes
        }
        affine = before.label_map.oriented("RAS").affine
        x, y, z = (affine @ [*self.pipeline.landmark(before, finding), 1.0])[:3]
        point = (float(x), float(y), float(z))
        whole = all((i.voxels == np.round(i.voxels)).all() for i in after.channels)
        small = max(float(np.abs(i.voxels).max()) for i in after.channels) < 32000
        mark = Landmark(finding.pathology, finding.level, point, measured_mm)
        return Finished(
            after, values, {"guidance": self.pipeline.guidance_for(finding.pathology)},
            np.int16 if whole and small else np.float32, (*request.known, mark),
        )  # fmt: skip


def _value(name: str, scan: LabelledScan, parent: Case, description: Description) -> float:
    """An attribute of an edited scan: measured where labels tell it, else that of the parent."""
    try:
        return attribute_value(attribute_of(description, name), scan.label_map, description.labels)
    except InputError:
        return parent.attributes.get(name, float("nan"))
