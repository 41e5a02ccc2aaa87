"""Every kind of bad input gets one line with file, fault and remedy; sound cases are kept."""

from __future__ import annotations

import errno
import gzip
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import save
from vesalius.anatomy.attributes import case_value
from vesalius.scans.check import check_cohort
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.formats import nifti
from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume
from vesalius.scans.writing import make_folder


@pytest.fixture
def damaged(brains: Cohort, tmp_path: Path) -> Path:
    """A copy of a sound cohort, to be damaged."""
    shutil.copytree(brains.folder, tmp_path / "cohort")
    return tmp_path / "cohort"


def image_of(folder: Path, case: int = 0) -> Path:
    return folder / f"imagesTr/brain_{case:04d}_0000.nii.gz"


def label_of(folder: Path, case: int = 0) -> Path:
    return folder / f"labelsTr/brain_{case:04d}.nii.gz"


def only_fault(folder: Path) -> str:
    """The one fault of a damaged cohort; all other cases must be sound."""
    found = check_cohort(Cohort.open(folder))
    assert len(found.sound) == 17
    assert len(found.faults) == 1
    line = str(found.faults[0])
    assert "\n" not in line and line.count(";") >= 1
    return line


def test_truncated_gzip_is_named(damaged: Path) -> None:
    path = image_of(damaged)
    path.write_bytes(path.read_bytes()[:3000])
    line = only_fault(damaged)
    assert str(path) in line and "damaged" in line


def test_what_is_no_image_is_named(damaged: Path) -> None:
    image_of(damaged).write_bytes(gzip.compress(b"patient list " * 100))
    assert "is not a NIfTI image" in only_fault(damaged)


def test_image_and_label_of_different_shape_are_named(damaged: Path) -> None:
    label_map = nib.load(label_of(damaged))
    save(label_of(damaged), np.asarray(label_map.dataobj)[1:], label_map.affine)
    assert "has shape" in only_fault(damaged)


def test_image_and_label_of_different_affine_are_named(damaged: Path) -> None:
    label_map = nib.load(label_of(damaged))
    affine = label_map.affine.copy()
    affine[0, 3] += 5
    save(label_of(damaged), np.asarray(label_map.dataobj), affine)
    assert "another affine" in only_fault(damaged)


def test_unknown_label_is_named(damaged: Path) -> None:
    label_map = nib.load(label_of(damaged))
    voxels = np.asarray(label_map.dataobj).copy()
    voxels[3, 3, 3] = 9
    save(label_of(damaged), voxels, label_map.affine)
    assert "holds label 9, unknown to dataset.json" in only_fault(damaged)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_no_numbers_are_counted(damaged: Path, value: float) -> None:
    image = nib.load(image_of(damaged))
    voxels = np.asarray(image.dataobj, dtype=np.float32).copy()
    voxels[2, 2, 2:5] = value
    save(image_of(damaged), voxels, image.affine)
    assert "holds 3 NaN or infinite voxels" in only_fault(damaged)


def test_empty_label_map_is_named(damaged: Path) -> None:
    label_map = nib.load(label_of(damaged))
    save(label_of(damaged), np.zeros(label_map.shape, np.uint8), label_map.affine)
    assert "is an empty label map" in only_fault(damaged)


def test_constant_image_is_named(damaged: Path) -> None:
    image = nib.load(image_of(damaged))
    save(image_of(damaged), np.full(image.shape, 7, np.int16), image.affine)
    assert "is constant (7 everywhere)" in only_fault(damaged)


def test_series_is_refused(damaged: Path) -> None:
    save(image_of(damaged), np.random.rand(5, 5, 5, 3).astype(np.float32))
    assert "is a series of shape (5, 5, 5, 3)" in only_fault(damaged)


@pytest.mark.parametrize("size", [0.0, -8.0])
def test_impossible_spacing_is_named(damaged: Path, size: float) -> None:
    path = image_of(damaged)
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[80:84] = np.float32(size).tobytes()
    path.write_bytes(gzip.compress(bytes(raw)))
    assert "has spacing" in only_fault(damaged)


def test_header_that_promises_a_trillion_voxels_is_refused_at_once(damaged: Path) -> None:
    path = image_of(damaged)
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[40:48] = np.array([3, 10_000, 10_000, 10_000], dtype=np.int16).tobytes()
    path.write_bytes(gzip.compress(bytes(raw)))
    assert "promises 1e+12 voxels" in only_fault(damaged)


def test_missing_label_is_named(damaged: Path) -> None:
    label_of(damaged).unlink()
    assert "is missing" in only_fault(damaged)


def test_duplicate_row_is_named(damaged: Path) -> None:
    table = damaged / "cases.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines, lines[1]]) + "\n")
    assert "names case brain_0000 a second time" in only_fault(damaged)


def test_row_of_unknown_case_is_named_and_nothing_else_is_lost(damaged: Path) -> None:
    with (damaged / "cases.csv").open("a") as stream:
        stream.write("brain_9999,somebody,,,25\n")
    found = check_cohort(Cohort.open(damaged))
    assert len(found.sound) == 18
    assert "names case brain_9999, which has no image" in str(found.faults[0])


def test_text_in_a_column_of_numbers_is_named_with_its_line(damaged: Path) -> None:
    table = damaged / "cases.csv"
    lines = table.read_text().splitlines()
    lines[1] = ",".join([*lines[1].split(",")[:-1], "large"])
    table.write_text("\n".join(lines) + "\n")
    line = only_fault(damaged)
    assert "cases.csv:2" in line and "'large'" in line


def test_columns_of_text_and_missing_values_leave_a_cohort_in_use(damaged: Path) -> None:
    table = damaged / "cases.csv"
    head, *rows = table.read_text().splitlines()
    more = [f",{'FM'[n % 2]},2019-03-{n + 1:02d},{'n/a' if n == 1 else 50 + n}"
            for n in range(len(rows))]  # fmt: skip
    lines = [f"{head},sex,seen,age", *(row + end for row, end in zip(rows, more, strict=True))]
    table.write_text("\n".join(lines) + "\n")
    found = check_cohort(Cohort.open(damaged))
    assert not found.faults and len(found.sound) == len(rows)
    assert found.categories["sex"]["F"] == -(-len(rows) // 2) and len(found.categories) == 2
    assert len(found.attributes["age"]) == len(rows) - 1 and "sex" not in found.attributes
    with pytest.raises(InputError, match=r"sex: holds text in cases\.csv, such as 'F'"):
        case_value(found.cohort, "sex", found.sound[0])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "is not JSON"),
        ("{}", "names no channels"),
        (json.dumps({"channel_names": {"0": "T1"}, "labels": {"a": [1, 2]}}), "has no labels"),
        (json.dumps({"channel_names": {"0": "T1"}, "labels": {"a": 1, "b": 1}}), "repeat"),
    ],
)
def test_faulty_description_is_refused(damaged: Path, content: str, fault: str) -> None:
    (damaged / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=fault):
        Cohort.open(damaged)


def test_folder_without_permission_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be written"):
        make_folder("/proc/vesalius")


def test_full_disk_is_named_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(image: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(nifti.nib, "save", full)
    with pytest.raises(InputError, match="the disk is full"):
        write_nifti(Volume(np.ones((3, 3, 3)), np.eye(4)), tmp_path / "scan.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_written_volume_comes_back_in_the_same_place(tmp_path: Path) -> None:
    affine = np.array([[0, 2.0, 0, -7], [-1.5, 0, 0, 3], [0, 0.3, 3.0, 11], [0, 0, 0, 1]])
    volume = Volume(np.random.default_rng(0).random((5, 6, 7)).astype(np.float32), affine)
    write_nifti(volume, tmp_path / "scan.nii.gz")
    back = read_nifti(tmp_path / "scan.nii.gz")
    assert back.same_geometry(volume, tolerance_mm=1e-4)
    assert np.array_equal(back.voxels, volume.voxels)


def test_writer_that_goes_on_knows_what_is_done(brains: Cohort, tmp_path: Path) -> None:
    case = brains.cases[0]
    with CohortWriter(tmp_path / "out", brains.description) as writer:
        writer.add("one", brains.read(case), subject="s", attributes={})
    with CohortWriter(tmp_path / "out", brains.description) as again:
        assert again.done == {"one"}
    with pytest.raises(InputError, match="choose a new folder"):
        CohortWriter(tmp_path / "out", brains.description, ["other_volume_ml"])


def test_a_sound_file_with_a_long_header_extension_is_read(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.random.rand(4, 4, 4).astype(np.float32), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 5000))
    nib.save(image, tmp_path / "scan.nii.gz")
    assert read_nifti(tmp_path / "scan.nii.gz").shape == (4, 4, 4)


def test_many_cases_are_read_without_the_faulty_ones(damaged: Path) -> None:
    image_of(damaged, 3).write_bytes(b"nothing")
    cohort = Cohort.open(damaged)
    sound, faults = cohort.sound(cohort.cases)
    assert len(sound) == 17 and len(faults) == 1
