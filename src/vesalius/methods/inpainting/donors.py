"""The scan that a finding is set into, with what its cohort says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vesalius.scans.case import Case, LabelledScan, read_case
from vesalius.scans.cohort import Cohort
from vesalius.scans.description import Description
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import Landmark, read_landmarks

if TYPE_CHECKING:
    from vesalius.methods.inpainting.pipeline import InpaintingPipeline


@dataclass(frozen=True)
class Donor:
    """A scan with its label map and the landmarks that it has already."""

    case: Case
    scan: LabelledScan
    landmarks: tuple[Landmark, ...] = ()

    @staticmethod
    def cohort_of(scan: str | Path) -> Path | None:
        """The cohort that a file belongs to, if it does."""
        folder = Path(scan).absolute().parent.parent
        return folder if (folder / "dataset.json").exists() else None


def donor_at(
    path: str | Path, labels: str | Path | None, pipeline: InpaintingPipeline
) -> Donor:  # fmt: skip
    """Read a scan and hold it against what a run was fitted on.

    A scan that lies in a cohort keeps the subject and the split that it has there.

    Args:
        path: of its first channel.
        labels: its label map; that of its cohort if `None`.
        pipeline: of the run.

    Raises:
        InputError: for a file that is no sound scan of the run's channels and labels.
    """
    # Not resolved: an imported scan may be a link to a file outside of its cohort.
    scan, channels = Path(path).absolute(), pipeline.fingerprint.channels
    if not scan.is_file():
        raise InputError(scan, "does not exist", "check the path")
    ending = ".nii.gz" if scan.name.endswith(".nii.gz") else ".nii"
    stem = scan.name.removesuffix(ending)
    if len(channels) > 1 and not stem.endswith("_0000"):
        raise InputError(scan, f"is one of {len(channels)} channels", "point at <case>_0000.nii.gz")
    name, folder = stem.removesuffix("_0000"), scan.parent.parent
    if labels is None and (folder / "dataset.json").is_file():
        cohort = Cohort.open(folder)
        pipeline.require_same(cohort)
        case = next((case for case in cohort.cases if case.name == name), None)
        if case is None:
            fault = next((f for f in cohort.faults if name in f.file), None)
            raise InputError(scan, str(fault or "is no case of its cohort"), "mend the cohort")
        marks: dict[str, list[Landmark]] = {}
        if (folder / "landmarks.csv").is_file():
            marks, _ = read_landmarks(folder, {case.name: None})
        return Donor(case, cohort.read(case), tuple(marks.get(name, ())))
    if labels is None:
        raise InputError(scan, "has no label map beside it", "add --labels, or segment it first")
    images = tuple(
        scan if index == 0 else scan.with_name(f"{name}_{index:04d}{ending}")
        for index in range(len(channels))
    )
    case = Case(name, images, Path(labels), subject=name)
    return Donor(case, read_case(case, Description(channels, pipeline.labels)))
