"""Import scans as others keep them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vesalius.api.console import bars
from vesalius.scans.formats.dicom_series import Gaps
from vesalius.scans.importing.cohort_import import Imported, find, write_found
from vesalius.scans.importing.found import Found, ImportOptions
from vesalius.scans.output import require_apart
from vesalius.scans.progress import Progress


def import_cohort(
    source: str | Path, out: str | Path, *, layout: str = "auto", channels: Sequence[str] = (),
    labels: str = "", names: Sequence[str] = (), fold: int = 0, gaps: Gaps = "refuse",
    key: str | Path | None = None, copy: bool = False, progress: Progress | None = None,
) -> Imported:  # fmt: skip
    """Write scans of any known format and layout as a cohort; the source is only read.

    DICOM, BIDS, nnU-Net, the Decathlon's form, files by pattern, and public data sets by their
    published layout. A command that was killed goes on where it stood.

    Parameters
    ----------
    source
        folder, or file, that holds them.
    out
        folder of the cohort.
    layout
        a name of `vesalius.scans.importing.layouts.LAYOUTS`, or `auto` for the first that fits.
    channels
        `NAME=PATTERN`, one a channel: of series descriptions (DICOM), suffixes (BIDS), or paths
        with `{subject}` and `{visit}`.
    labels
        structures to take (DICOM), part of a path (BIDS), or a pattern of label maps.
    names
        `NAME=NUMBER` of labels that come without a name, or are to have another.
    fold
        of `splits_final.json`.
    gaps
        `refuse` slices at uneven distances, or `resample` them.
    key
        file of the secret that DICOM pseudonyms are made with; beside the cohort if `None`, where
        it is made if there is none.
    copy
        copy files that are usable as they are rather than link them.
    progress
        called after each case; bars if `None`.

    Returns
    -------
    The cohort, what was found, and what was left out and why.

    Raises
    ------
    InputError
        for a source in which nothing can be imported, or a folder that holds something else.
    """
    source, out = Path(source), Path(out)
    with bars(progress) as report:
        secret = Path(key) if key else out.with_name(f"{out.name}.key")
        options = ImportOptions(tuple(channels), labels, tuple(names), fold, gaps, secret)
        require_apart(out, source)
        found = find(source, options, layout, report)
        return write_found(found, source, out, options, copy, report)


def find_cohort(
    source: str | Path, *, layout: str = "auto", channels: Sequence[str] = (), labels: str = "",
    names: Sequence[str] = (), fold: int = 0, gaps: Gaps = "refuse",
    progress: Progress | None = None,
) -> Found:  # fmt: skip
    """What `import_cohort` would import; nothing is written, and no voxel is read.

    Parameters and errors are those of `import_cohort`.
    """
    options = ImportOptions(tuple(channels), labels, tuple(names), fold=fold, gaps=gaps)
    with bars(progress) as report:
        found = find(Path(source), options, layout, report)
    if found.labels is None:  # label maps alone know their numbers, and none is read here
        return found
    return replace(found, labels=options.renamed(found.labels))
