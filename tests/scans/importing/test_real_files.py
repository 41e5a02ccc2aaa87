"""Real files of packages: each is imported, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pydicom.data
import pytest

import vesalius as vs

PYDICOM = sorted(
    path for path in (Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm")
)  # fmt: skip
NIBABEL = sorted(
    path
    for path in (Path(nibabel.__file__).parent / "tests" / "data").glob("*.*")
    if path.name.endswith((".nii", ".nii.gz", ".img", ".mnc", ".mgz", ".PAR", ".dcm"))
)


@pytest.mark.parametrize("path", [*PYDICOM, *NIBABEL], ids=lambda path: path.name)
def test_a_file_is_imported_or_refused_in_one_line(path: Path, tmp_path: Path) -> None:
    try:
        imported = vs.import_cohort(path, tmp_path / "out")
    except vs.InputError as refusal:
        assert "\n" not in str(refusal) and len(str(refusal)) <= 300
        return
    case = imported.cohort.cases[0]
    image = imported.cohort.read_images(case).channels[0]
    assert image.voxels.min() < image.voxels.max()


SOUND = ("CT_small.dcm", "MR_small.dcm", "MR_small_jp2klossless.dcm", "693_J2KI.dcm", "0.dcm",
         "anatomical.nii", "standard.nii.gz", "minc1_1_scale.mnc", "tiny.mnc")  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_is_imported(name: str, tmp_path: Path) -> None:
    by_name = {path.name: path for path in [*PYDICOM, *NIBABEL]}
    if "j2k" in name.lower() or "jp2k" in name:
        pytest.importorskip("openjpeg")
    if name not in by_name:
        pytest.skip("the package is installed without this file")
    imported = vs.import_cohort(by_name[name], tmp_path / "out")
    assert len(imported.cohort.cases) == 1 and not imported.left_out


def test_a_compressed_slice_has_the_voxels_of_the_plain_one(tmp_path: Path) -> None:
    pytest.importorskip("openjpeg")
    by_name = {path.name: path for path in PYDICOM}
    read = []
    for name in ("MR_small.dcm", "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm"):
        cohort = vs.import_cohort(by_name[name], tmp_path / name).cohort
        read.append(cohort.read_images(cohort.cases[0]).channels[0])
    for other in read[1:]:
        np.testing.assert_array_equal(other.voxels, read[0].voxels)
        assert other.same_geometry(read[0])
