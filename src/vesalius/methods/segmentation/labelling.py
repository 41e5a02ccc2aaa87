"""Label maps of many scans, one by one, and a table of the volume of each label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vesalius.anatomy.attributes import volume_ml
from vesalius.methods.segmentation.pipeline import SegmentationPipeline
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.formats.table import write_table
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.output import digest_of, output_folder
from vesalius.scans.progress import Progress, no_progress, track


def segment_scans(
    trained: SegmentationPipeline, scans: Sequence[GivenScan], out: str | Path,
    progress: Progress = no_progress, inputs: tuple[Path, ...] = (),
) -> Segmented:  # fmt: skip
    """Write a label map for each scan, and `volumes.csv` with the mL of every label.

    Scans are read one by one; those that cannot be labelled end up in the faults.

    Args:
        trained: the segmenter.
        scans: see `scans_at`.
        out: folder, new or of the same run and scans. Label maps that are there are kept, corrected
            ones too, and measured for the table.
        progress: called after each scan.
        inputs: that must not be touched.

    Raises:
        InputError: for an output that is an input or another's, or if no scan could be labelled.
    """
    names = [name for name, value in trained.labels.items() if value != 0]
    records: list[list[str]] = []
    faults: list[InputProblem] = []
    made = {
        "command": "segment", "run": trained.name,
        "scans": digest_of(inputs[-1]) if inputs else "",
    }  # fmt: skip
    with output_folder(out, made, inputs) as folder:
        for scan in track(scans, "segmenting", len(scans), progress):
            path = folder / f"{scan.name}.nii.gz"
            try:
                result = read_nifti(path) if path.exists() else trained.segment(scan.read())
            except InputError as refusal:
                faults.append(refusal.fault)
                continue
            if not path.exists():
                write_nifti(result, path, result.voxels.dtype.type, "")
            measured = [volume_ml(result, [trained.labels[name]]) for name in names]
            records.append([scan.name, *(f"{ml:.6g}" for ml in measured)])
        if not records:
            raise InputError(out, f"has no sound scan to label ({faults[0]})", "mend the scans")
        table = folder / "volumes.csv"
        write_table(table, ["case", *(f"{name}_volume_ml" for name in names)], records)
    return Segmented(table, len(records), tuple(faults))


@dataclass(frozen=True)
class Segmented:
    """What was labelled: the table of volumes, how many scans, and what is wrong with others."""

    table: Path
    count: int
    faults: tuple[InputProblem, ...]


@dataclass(frozen=True)
class GivenScan:
    """A scan that is read when its turn comes."""

    name: str
    read: Callable[[], Scan]


def scans_at(place: Path) -> tuple[list[GivenScan], list[InputProblem]]:
    """Scans to segment: one NIfTI file, a folder of them, or a cohort's; and its faulty cases.

    Raises:
        InputError: where there is none, or two have the same name.
    """
    if (place / "dataset.json").exists():
        cohort = Cohort.open(place, labelled=False)
        scans = [GivenScan(case.name, partial(cohort.read_images, case)) for case in cohort.cases]
        return scans, list(cohort.faults)
    files = [place] if place.is_file() else sorted(place.glob("*.nii*"))
    if not files:
        raise InputError(place, "holds no scan", "give a NIfTI file, a folder of them, or a cohort")
    result = [GivenScan(path.name.split(".nii")[0], partial(_single, path)) for path in files]
    counts = Counter(scan.name for scan in result)
    double = next((name for name, count in counts.items() if count > 1), None)
    if double is not None:
        raise InputError(place, f"holds two scans named {double}", "rename one of them")
    return result, []


def _single(path: Path) -> Scan:
    return Scan((read_nifti(path),))
