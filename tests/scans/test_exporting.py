"""Exported and imported again, voxels and affines are equal; other programs agree."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import vesalius as vs
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume

OBLIQUE = np.array(
    [[-0.9, 0.1, 0.0, 12.0], [-0.1, -0.9, 0.0, 30.0], [0.0, 0.0, 4.0, -7.0], [0, 0, 0, 1.0]]
)
SAGITTAL = np.array(
    [[0.0, 0.0, 4.4, -20.0], [-0.7, 0.0, 0.0, 60.0], [0.0, -0.7, 0.0, 80.0], [0, 0, 0, 1.0]]
)
FLAT = np.diag([-0.5, 1.0, -0.5, 1.0])
VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")
LABELS = {"background": 0, "organ": 1, "tumour": 4}


def written(
    folder: Path, affine: np.ndarray, shape: tuple[int, int, int], count: int = 6,
    synthetic: bool = False, fractions: bool = False, first: int = 0,
) -> Cohort:  # fmt: skip
    """Cases of two channels; synthetic ones name a real case as their parent."""
    description = Description(("T1", "T2"), LABELS, origin="synthetic" if synthetic else "")
    rng = np.random.default_rng(first)
    with CohortWriter(folder, description, ["age_years", "sex"], {"command": "tests"}) as writer:
        for number in range(first, first + count):
            images = [rng.integers(-50, 900, shape).astype(np.float32) for _ in range(2)]
            if fractions:
                images = [image / 7 for image in images]
            label_map = np.zeros(shape, np.uint8)
            label_map[1:3, : shape[1] // 2 + 1, 1:3] = 1
            label_map[2:3, :1, 1:2] = 4
            scan = LabelledScan(
                tuple(Volume(image, affine) for image in images), Volume(label_map, affine)
            )
            name = f"{'made' if synthetic else 'case'}_{number:02d}"
            provenance = {"synthetic": True, "parent": f"case_{number:02d}"} if synthetic else None
            subject = name if synthetic else f"s-{number // 2}"
            writer.add(name, scan, subject, {"age_years": 40.0 + number},
                       visit=str(number % 2 + 1), provenance=provenance)  # fmt: skip
        return writer.finish()


GRIDS = {"oblique LPS": (OBLIQUE, (7, 8, 5)), "thick sagittal": (SAGITTAL, (9, 8, 4))}


def require_equal(first: Cohort, second: Cohort) -> None:
    assert len(first.cases) == len(second.cases)
    for one, other in zip(first.cases, second.cases, strict=True):
        before, after = first.read(one), second.read(other)
        for here, there in zip(before.channels, after.channels, strict=True):
            np.testing.assert_array_equal(here.voxels, there.voxels)
            assert here.same_geometry(there)
        names = {value: name for name, value in second.description.labels.items()}
        turned = np.zeros(after.label_map.shape)
        for value, name in names.items():
            turned[after.label_map.voxels == value] = LABELS[name]
        np.testing.assert_array_equal(before.label_map.voxels, turned)


@pytest.mark.parametrize("grid", [*GRIDS, "2D"])
@pytest.mark.parametrize("form", ["nnunet", "bids", "dicom"])
def test_a_round_trip_changes_neither_voxels_nor_affines(form, grid, tmp_path: Path) -> None:
    affine, shape = GRIDS.get(grid, (FLAT, (8, 1, 9)))
    cohort = written(tmp_path / "in", affine, shape, count=10)
    if (form, grid) == ("dicom", "2D"):
        with pytest.raises(vs.InputError, match="radiographs are not exported to DICOM"):
            vs.export(cohort, tmp_path / "out", form)
        return
    vs.export(cohort, tmp_path / "out", form)
    channels = {"bids": ["T1w", "T2w"], "dicom": ["T1=T1", "T2=T2"], "nnunet": []}[form]
    require_equal(cohort, _sorted(vs.import_cohort(
        tmp_path / "out", tmp_path / "again", channels=channels, layout=form,
    ).cohort, cohort))  # fmt: skip


def _sorted(imported: Cohort, like: Cohort) -> Cohort:
    """Cases in the order of those they come from, by their voxels: names are others in DICOM."""
    from dataclasses import replace

    sums = {
        float(imported.read_images(case).channels[0].voxels.sum()): case for case in imported.cases
    }
    order = [sums[float(like.read_images(case).channels[0].voxels.sum())] for case in like.cases]
    return replace(imported, cases=tuple(order))


def test_no_synthetic_case_validates_and_none_of_a_validation_subject_trains(tmp_path) -> None:
    real = written(tmp_path / "real", OBLIQUE, (7, 8, 5), count=10)
    made = written(tmp_path / "made", OBLIQUE, (7, 8, 5), count=4, synthetic=True)
    vs.export(real, tmp_path / "Dataset101_Brain", "nnunet", add=[made])
    folds = json.loads((tmp_path / "Dataset101_Brain" / "splits_final.json").read_text())
    subject = {case.name: case.subject for case in real.cases}
    assert len(folds) == 5
    for fold in folds:
        assert not any(name.startswith("made") for name in fold["val"])
        validating = {subject[name] for name in fold["val"]}
        for name in fold["train"]:
            assert subject[name.replace("made", "case")] not in validating
        assert not set(fold["val"]) & set(fold["train"])
    assert sorted(name for fold in folds for name in fold["val"]) == sorted(subject)
    content = json.loads((tmp_path / "Dataset101_Brain" / "dataset.json").read_text())
    assert content["numTraining"] == 14 and content["labels"] == LABELS


def test_cohorts_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    real = written(tmp_path / "real", OBLIQUE, (7, 8, 5), count=2)
    with pytest.raises(vs.InputError, match="both have a case case_00"):
        vs.export(real, tmp_path / "out", "bids", add=[real])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(vs.InputError, match="holds files already"):
        vs.export(real, tmp_path / "full", "bids")


def test_synthetic_series_say_so_and_fractions_come_back_within_half_a_step(tmp_path) -> None:
    from pydicom import dcmread

    made = written(tmp_path / "made", OBLIQUE, (7, 8, 5), 1, synthetic=True, fractions=True)
    notes = vs.export(made, tmp_path / "out", "dicom")
    files = sorted((tmp_path / "out").rglob("*.dcm"))
    for path in files:
        content = dcmread(path)
        assert content.SyntheticData == "YES" and content.PatientIdentityRemoved == "YES"
        if content.Modality == "MR":
            assert content.SeriesDescription.startswith("SYNTHETIC")
            assert "of no patient" in content.DerivationDescription
    worst = float(notes[0].rsplit(" ", 1)[1])
    again = vs.import_cohort(tmp_path / "out", tmp_path / "again", channels=["T1=*T1"]).cohort
    before = made.read(made.cases[0]).channels[0].voxels
    after = again.read(again.cases[0]).channels[0].voxels
    assert 0 < np.abs(before - after).max() <= worst * 1.01


@pytest.mark.skipif(not VALIDATOR.is_file(), reason="bids-validator-deno is not installed")
def test_the_validator_of_bids_finds_no_error(tmp_path: Path) -> None:
    real = written(tmp_path / "in", OBLIQUE, (7, 8, 5), count=4)
    made = written(tmp_path / "made", OBLIQUE, (7, 8, 5), count=2, synthetic=True)
    vs.export(real, tmp_path / "out", "bids", add=[made])
    said = subprocess.run([VALIDATOR, tmp_path / "out", "--json"], capture_output=True, text=True,
                          check=False)  # fmt: skip
    issues = json.loads(said.stdout)["issues"]["issues"]
    assert not [one for one in issues if one["severity"] == "error"]
    assert said.returncode == 0


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="dcm2niix is not installed")
@pytest.mark.parametrize("grid", GRIDS)
def test_dcm2niix_brings_the_same_voxels_back(grid: str, tmp_path: Path) -> None:
    cohort = written(tmp_path / "in", *GRIDS[grid], count=1)
    vs.export(cohort, tmp_path / "out", "dicom")
    (tmp_path / "nifti").mkdir()
    series = tmp_path / "out" / "case_00" / "channel_0000"
    subprocess.run(["dcm2niix", "-o", tmp_path / "nifti", series], check=True, capture_output=True)
    (path,) = (tmp_path / "nifti").glob("*.nii")
    read = nib.load(path)
    converted = Volume(np.asarray(read.dataobj, dtype=np.float32), read.affine)
    image = cohort.read(cohort.cases[0]).channels[0]
    turned = converted.oriented(image.orientation)
    np.testing.assert_array_equal(turned.voxels, image.voxels)
    assert turned.same_geometry(image, 1e-2)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools are not installed")
@pytest.mark.parametrize("channel", ["T1", "CT"])
def test_dciodvfy_finds_no_error(channel: str, tmp_path: Path) -> None:
    cohort = written(tmp_path / "in", OBLIQUE, (7, 8, 5), count=1, synthetic=True)
    text = (tmp_path / "in" / "dataset.json").read_text()
    (tmp_path / "in" / "dataset.json").write_text(text.replace('"T1"', f'"{channel}"'))
    vs.export(Cohort.open(cohort.folder), tmp_path / "out", "dicom")
    for path in (*(tmp_path / "out").rglob("channel_0000/0001.dcm"),
                 tmp_path / "out" / "made_00" / "labels.dcm"):  # fmt: skip
        said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        known = "(0x0008,0x001c)"  # Synthetic Data is younger than some releases of the program
        errors = [line for line in said.stderr.splitlines()
                  if line.startswith("Error") and known not in line]  # fmt: skip
        assert not errors, (path.name, errors)
