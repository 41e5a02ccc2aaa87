"""`vesalius import`: scans as others keep them, made a cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from vesalius.api.console import console
from vesalius.cli.options import Flag
from vesalius.cli.terminal import print_faults

SHOWN_LABELS = 12


def import_(
    source: Path,
    out: Path,
    *,
    layout: str = "auto",
    channel: Annotated[list[str] | None, Parameter(negative="")] = None,
    labels: str = "",
    label: Annotated[list[str] | None, Parameter(negative="")] = None,
    fold: int = 0,
    gaps: Literal["refuse", "resample"] = "refuse",
    key: Path | None = None,
    copy: Flag = False,
    dry_run: Flag = False,
) -> None:
    """Write scans of any known format as a cohort. The source is only read.

    DICOM in any disorder with its segmentations, BIDS, nnU-Net, the Medical Segmentation
    Decathlon, files by pattern, and public data sets as they are published: SPIDER, RSNA 2024
    lumbar, BraTS, TotalSegmentator, AMOS, IXI, OASIS-1, ADNI, LIDC-IDRI, Duke breast, MRNet,
    CheXpert, ChestX-ray14, MedMNIST, crops of OAI and MOST.

    Parameters
    ----------
    source: Path
        Folder, or file, that holds the scans.
    out: Path
        Folder of the cohort. An unfinished one is completed.
    layout: str
        auto takes the first that fits; else dicom, bids, nnunet, decathlon, patterns, or the name
        of a data set.
    channel: list[str]
        NAME=PATTERN, once a channel: of the series' description (DICOM), the suffix (BIDS), or
        the path, such as T1='{subject}/{visit}/t1.nii.gz'.
    labels: str
        Structures to take, with commas (DICOM); part of the path (BIDS); pattern of the path.
    label: list[str]
        NAME=NUMBER of a label that comes without a name, or is to have another.
    fold: int
        Of splits_final.json.
    gaps: str
        Refuse slices at uneven distances, or resample them.
    key: Path
        File of the secret that pseudonyms of DICOM patients are made with. By default it lies
        beside the cohort as OUT.key; give the same one for later visits of the same patients.
    copy: bool
        Copy files that are usable as they are rather than link to them.
    dry_run: bool
        Say what would be imported and what not; write nothing.
    """
    from vesalius.api.importing import find_cohort, import_cohort
    from vesalius.scans.importing.found import Found

    def show(found: Found) -> None:
        subjects = len({case.subject for case in found.cases})
        labelled = sum(case.labels is not None for case in found.cases)
        console.print(
            f"{source}: {found.layout}, {len(found.cases)} cases of {subjects} subjects, channels "
            f"{', '.join(found.channels)}, {labelled} with a label map",
            markup=False, soft_wrap=True,
        )  # fmt: skip
        names = [name for name, number in (found.labels or {}).items() if number]
        if names:
            more = f" and {len(names) - SHOWN_LABELS} more" if len(names) > SHOWN_LABELS else ""
            console.print(
                f"  labels: {', '.join(names[:SHOWN_LABELS])}{more}", markup=False, soft_wrap=True
            )
        for note in found.notes:
            console.print(f"  {note}", markup=False, soft_wrap=True)

    channels = channel or ()
    if dry_run:
        found = find_cohort(
            source,
            layout=layout,
            channels=channels,
            labels=labels,
            names=label or (),
            fold=fold,
            gaps=gaps,
        )
        show(found)
        print_faults(found.left_out)
        return
    imported = import_cohort(
        source, out, layout=layout, channels=channels, labels=labels, names=label or (),
        fold=fold, gaps=gaps, key=key, copy=copy,
    )  # fmt: skip
    show(imported.found)
    print_faults(imported.left_out)
    console.print(f"{out}: {len(imported.cohort.cases)} cases; next: vesalius cohort check {out}")
