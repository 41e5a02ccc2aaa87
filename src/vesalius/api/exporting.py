"""Export a cohort for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vesalius import __version__
from vesalius.api.cohorts import Given, opened, place_of
from vesalius.api.console import bars
from vesalius.api.fitting import run_folder
from vesalius.api.monai_bundle import export_bundle
from vesalius.report.model_folder import RECIPE, export_cohort, export_run
from vesalius.scans.exporting.bids import export_bids
from vesalius.scans.exporting.dicom import export_dicom
from vesalius.scans.exporting.nnunet import export_nnunet
from vesalius.scans.exporting.source import cases_of
from vesalius.scans.input_error import InputError
from vesalius.scans.output import require_apart, sole_writer
from vesalius.scans.progress import Progress
from vesalius.scans.writing import make_folder

ENDS = "--config_file configs/inference.json --meta_file configs/metadata.json"
Form = Literal["nnunet", "bids", "dicom", "monai", "huggingface"]


def export(
    cohort: Given, out: str | Path, form: Form, *, add: Sequence[Given] = (), seed: int = 0,
    license_id: str = "other", audit: str | Path | None = None, progress: Progress | None = None,
) -> list[str]:  # fmt: skip
    """Write a cohort, or a run, in the form of another program; voxels and affines stay.

    Parameters
    ----------
    cohort
        that is exported; for `huggingface` also, and for `monai` only, the folder of a finished
        run.
    out
        new or empty folder; for nnU-Net such as `nnUNet_raw/Dataset101_Brain`.
    form
        `nnunet`: raw data set with `splits_final.json` in which no synthetic case validates and
        none that was made from a validation subject trains; `bids`: derivative with `GeneratedBy`;
        `dicom`: series and SEG, with `SyntheticData` YES where they are synthetic; `monai`: a
        run as a bundle that MONAI's own commands run and verify;
        `huggingface`: the files under a card with front matter.
    add
        cohorts of synthetic cases that are exported with it.
    seed
        decides which subject validates in which fold.
    license_id
        of cohort or weights, such as `apache-2.0`, for `huggingface` and `monai`.
    audit
        folder of `vesalius audit` of the cohort, for its data card.
    progress
        called after each case; bars if `None`.

    Returns
    -------
    What the user should know, a line each.

    Raises
    ------
    InputError
        for a folder that holds something, cohorts that do not go together, or what the form cannot
        hold.
    """
    out = Path(out)
    require_apart(out, place_of(cohort), *(place_of(one) for one in add))
    if out.is_dir() and any(not path.name.startswith(".") for path in out.iterdir()):
        raise InputError(out, "holds files already", "choose a new or empty folder")
    if form == "huggingface":
        return _to_hub(cohort, out, license_id, audit, progress)
    if form == "monai":
        folder = run_folder(cohort)
        with bars(progress) as report, sole_writer(make_folder(out)):
            export_bundle(folder, out, license_id, report)
        return [f"check it: python -m monai.bundle verify_net_in_out network_def {ENDS}"]
    cases = cases_of(opened(cohort), [opened(one) for one in add])
    make_folder(out)
    with bars(progress) as report, sole_writer(out):
        if form == "nnunet":
            return export_nnunet(cases, out, seed, report)
        if form == "bids":
            return export_bids(cases, out, __version__, report)
        if form == "dicom":
            return export_dicom(cases, out, __version__, report)
    raise InputError(
        "--as", f"{form} is not known", "one of nnunet, bids, dicom, monai, huggingface"
    )


def _to_hub(
    given: Given, out: Path, license_id: str, audit: str | Path | None, progress: Progress | None
) -> list[str]:  # fmt: skip
    """A run where the folder is one, else a cohort."""
    folder = place_of(given)
    with bars(progress) as report, sole_writer(make_folder(out)):
        if folder is not None and (folder / RECIPE).is_file():
            export_run(folder, out, license_id, report)
            return []
        found = None if audit is None else Path(audit)
        export_cohort(opened(given), out, license_id, found, report)
    return [] if found else ["no audit was given: the card says so"]
