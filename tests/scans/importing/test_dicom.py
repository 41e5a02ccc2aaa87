"""DICOM in disorder comes in voxel by voxel, or is refused in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from tests.scans.importing.made_up_dicom import (
    LPS,
    affine_of,
    write_enhanced,
    write_radiograph,
    write_series,
    write_structures,
)
from vesalius.scans.formats.nifti import read_nifti
from vesalius.scans.pictures import picture_of

PERSONAL = (b"Doe", b"4711", b"19500203", b"20200105")


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 900, (9, 11, 5)).astype(np.int16)


@pytest.mark.parametrize(
    "affine",
    [affine_of(), affine_of((0.5, 0.7, 4.0)), affine_of(tilt=0.2), affine_of((0.8, 0.8, 1.0))],
    ids=["oblique", "thick", "tilted gantry", "fine"],
)
def test_a_series_in_disorder_comes_in_voxel_by_voxel(voxels, affine, tmp_path: Path) -> None:
    write_series(tmp_path / "in" / "deep", voxels, affine, slope=2.0, intercept=-100.0)
    (tmp_path / "in" / "notes.txt").write_text("not DICOM")
    imported = vs.import_cohort(tmp_path / "in", tmp_path / "out")
    (case,) = imported.cohort.cases
    image = read_nifti(case.images[0])
    np.testing.assert_array_equal(image.voxels, 2.0 * voxels - 100.0)
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)
    assert case.attributes["age_years"] == 63 and case.categories["sex"] == "F"


def test_nothing_personal_is_carried_over_and_the_key_decides_on_names(voxels, tmp_path) -> None:
    write_series(tmp_path / "in", voxels, affine_of())
    one = vs.import_cohort(tmp_path / "in", tmp_path / "one" / "out")
    for path in (tmp_path / "one" / "out").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(word in content or word in str(path).encode() for word in PERSONAL), path
    key = tmp_path / "one" / "out.key"
    assert key.stat().st_mode & 0o077 == 0
    same = vs.import_cohort(tmp_path / "in", tmp_path / "two", key=key)
    other = vs.import_cohort(tmp_path / "in", tmp_path / "three")
    names = [i.cohort.cases[0].subject for i in (one, same, other)]
    assert names[0] == names[1] != names[2]


def test_visits_are_in_the_order_of_their_dates(voxels, tmp_path: Path) -> None:
    for date in ("20210105", "20200105", "20200705"):
        write_series(tmp_path / "in" / date, voxels, affine_of(), date=date)
    cases = vs.import_cohort(tmp_path / "in", tmp_path / "out").cohort.cases
    assert [case.visit for case in cases] == ["1", "2", "3"]
    assert [case.attributes["years"] for case in cases] == pytest.approx(
        [0, 0.498, 1.002], abs=0.01
    )


def test_uneven_slices_are_refused_or_resampled_as_chosen(tmp_path: Path) -> None:
    ramp = np.zeros((4, 4, 6), np.int16) + 10 * np.array([0, 1, 2, 4, 5, 6], np.int16)
    ramp[0, 0] += 1
    write_series(tmp_path / "in", ramp, affine_of(turn=0.0), at=[0, 1, 2, 4, 5, 6])
    with pytest.raises(vs.InputError, match=r"lacks 1 slices: slices are 3\.00 to 6\.00 mm apart"):
        vs.import_cohort(tmp_path / "in", tmp_path / "out")
    imported = vs.import_cohort(tmp_path / "in", tmp_path / "resampled", gaps="resample")
    image = read_nifti(imported.cohort.cases[0].images[0])
    np.testing.assert_allclose(image.voxels[1, 1], 10 * np.arange(7), atol=1e-3)
    np.testing.assert_allclose(image.affine, affine_of(turn=0.0), atol=1e-4)


def test_padding_becomes_the_lowest_measurement(voxels, tmp_path: Path) -> None:
    stored = voxels.copy()
    stored[0] = -2000
    write_series(tmp_path / "in", stored, affine_of(), modality="CT", intercept=-1024.0,
                 padding=-2000)  # fmt: skip
    image = read_nifti(
        vs.import_cohort(tmp_path / "in", tmp_path / "out").cohort.cases[0].images[0]
    )
    assert (image.voxels[0] == voxels[1:].min() - 1024.0).all()  # of the volume, not of each slice
    np.testing.assert_array_equal(image.voxels[1:], voxels[1:] - 1024.0)


def test_an_enhanced_file_is_put_in_order_and_rescaled_frame_by_frame(voxels, tmp_path) -> None:
    write_enhanced(tmp_path / "in" / "one", voxels, affine_of(), "4711")
    image = read_nifti(
        vs.import_cohort(tmp_path / "in", tmp_path / "out").cohort.cases[0].images[0]
    )
    np.testing.assert_array_equal(image.voxels, 2.0 * voxels + np.arange(5))
    np.testing.assert_allclose(image.affine, affine_of(), atol=1e-4)


def test_an_enhanced_file_of_several_volumes_is_taken_apart(voxels, tmp_path: Path) -> None:
    write_enhanced(tmp_path / "in" / "one", voxels, affine_of(), "4711", echoes=(20.0, 80.0))
    with pytest.raises(vs.InputError, match=r"'t2_enhanced echo 20.0' \(1\), 't2_enhanced echo 80"):
        vs.find_cohort(tmp_path / "in")
    found = vs.import_cohort(
        tmp_path / "in", tmp_path / "out", channels=["PD=*echo 20*", "T2=*echo 80*"]
    )
    (case,) = found.cohort.cases
    for path, brighter in zip(case.images, (0, 100), strict=True):
        image = read_nifti(path)
        np.testing.assert_array_equal(image.voxels, 2.0 * (voxels + brighter) + np.arange(5))
        np.testing.assert_allclose(image.affine, affine_of(), atol=1e-4)


def test_volumes_that_nothing_tells_apart_are_told_by_their_order(voxels, tmp_path: Path) -> None:
    write_enhanced(tmp_path / "in" / "one", voxels, affine_of(), "4711", times=2)
    found = vs.import_cohort(tmp_path / "in", tmp_path / "out", channels=["T2=*acquisition 2"])
    image = read_nifti(found.cohort.cases[0].images[0])
    np.testing.assert_array_equal(image.voxels, 2.0 * voxels + np.arange(5))


def test_radiographs_are_dense_bright_whatever_the_file_says(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 4000, (12, 8))
    write_radiograph(tmp_path / "in" / "a", picture, "1", inverted=False)
    write_radiograph(tmp_path / "in" / "b", 4000 - picture, "2", inverted=True)
    cases = vs.import_cohort(tmp_path / "in", tmp_path / "out").cohort.cases
    shown = [picture_of(read_nifti(case.images[0])) for case in cases]
    for own in shown:
        np.testing.assert_array_equal(own - own.min(), picture - picture.min())
    assert read_nifti(cases[0].images[0]).spacing_mm == (0.1, 1.0, 0.2)


def test_channels_are_chosen_by_description_and_the_rest_is_told(voxels, tmp_path: Path) -> None:
    for patient in ("1", "2"):
        study = f"1.2.3.{patient}"
        for name, add in (("t1_tse_sag", 0), ("T2_tse_sag", 1000), ("localizer", 0)):
            write_series(tmp_path / "in" / patient / name, voxels + add, affine_of(), patient, name,
                         study=study)  # fmt: skip
    with pytest.raises(vs.InputError, match=r"several series a study: 'T2_tse_sag' \(2\), 'loc"):
        vs.find_cohort(tmp_path / "in")
    write_series(tmp_path / "in" / "3", voxels, affine_of(), "3", "t1_tse_sag")
    imported = vs.import_cohort(tmp_path / "in", tmp_path / "out",
                                channels=["T1=t1*", "T2=t2*"])  # fmt: skip
    assert [fault.fault for fault in imported.left_out] == ["is of a study without a series for T2"]
    assert imported.cohort.description.channels == ("T1", "T2")
    first, second = (read_nifti(path).voxels for path in imported.cohort.cases[0].images)
    np.testing.assert_array_equal(second - first, 1000)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"BurnedInAnnotation": "YES"}, "text burned into"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localiser"),
        ({"PixelSpacing": None}, "no position, direction or pixel size"),
    ],
)
def test_what_is_no_scan_is_left_out_and_told(voxels, entries, said, tmp_path: Path) -> None:
    write_series(tmp_path / "in" / "good", voxels, affine_of())
    write_series(tmp_path / "in" / "bad", voxels, affine_of(), "other", **entries)
    imported = vs.import_cohort(tmp_path / "in", tmp_path / "out")
    assert len(imported.cohort.cases) == 1
    assert len(imported.left_out) == 1 and said in imported.left_out[0].fault


def test_structure_sets_are_label_maps_of_their_series(voxels, tmp_path: Path) -> None:
    affine = affine_of()
    files = write_series(tmp_path / "in", voxels, affine)
    lps = LPS @ affine
    square = np.array([[1.6, 2.6], [6.4, 2.6], [6.4, 8.4], [1.6, 8.4]])
    hole = np.array([[2.6, 4.6], [4.4, 4.6], [4.4, 6.4], [2.6, 6.4]])

    def in_mm(points: np.ndarray, row: int) -> np.ndarray:
        whole = np.column_stack([points, np.full(len(points), row), np.ones(len(points))])
        return (whole @ lps.T)[:, :3]

    contours = {"Left Kidney": [in_mm(square, 2), in_mm(hole, 2)], "cyst": [in_mm(hole, 2)]}
    write_structures(tmp_path / "in" / "RS", files, contours)
    cohort = vs.import_cohort(tmp_path / "in", tmp_path / "out").cohort
    assert cohort.description.labels == {"background": 0, "Left_Kidney": 1, "cyst": 2}
    label_map = read_nifti(cohort.cases[0].label_map).voxels
    wanted = np.zeros(voxels.shape)
    wanted[2:7, 3:9, 2] = 1
    wanted[3:5, 5:7, 2] = 2
    np.testing.assert_array_equal(label_map, wanted)


def test_segmentations_are_label_maps_of_their_series(voxels, tmp_path: Path) -> None:
    highdicom = pytest.importorskip("highdicom")
    from pydicom import dcmread
    from pydicom.sr.codedict import codes

    affine = affine_of()
    files = write_series(tmp_path / "in", voxels, affine)
    masks = np.zeros((5, 11, 9, 2), np.uint8)
    masks[1:3, 2:6, 3:7, 0], masks[3, 7:9, 1:3, 1] = 1, 1
    family = codes.DCM.ArtificialIntelligence
    algorithm = highdicom.AlgorithmIdentificationSequence("made up", family, "1")
    described = [
        highdicom.seg.SegmentDescription(
            number, name, codes.SCT.Organ, codes.SCT.Kidney,
            highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC, algorithm,
        )
        for number, name in enumerate(("kidney", "cyst"), start=1)
    ]  # fmt: skip
    slices = sorted((dcmread(path) for path in files), key=lambda one: -one.InstanceNumber)
    segmentation = highdicom.seg.Segmentation(
        slices, masks, highdicom.seg.SegmentationTypeValues.BINARY, described,
        highdicom.UID(), 9, highdicom.UID(), 1, "Vesalius", "tests", "1", "1",
    )  # fmt: skip
    segmentation.save_as(tmp_path / "in" / "seg.dcm")
    cohort = vs.import_cohort(tmp_path / "in", tmp_path / "out").cohort
    assert cohort.description.labels == {"background": 0, "cyst": 1, "kidney": 2}
    label_map = read_nifti(cohort.cases[0].label_map).voxels
    wanted = 2 * masks[..., 0] + masks[..., 1]
    np.testing.assert_array_equal(label_map, wanted.transpose(2, 1, 0))


def test_a_damaged_structure_set_is_listed_and_its_scan_comes_in(voxels, tmp_path: Path) -> None:
    files = write_series(tmp_path / "in", voxels, affine_of())
    write_structures(tmp_path / "in" / "RS", files, {})
    content = (tmp_path / "in" / "RS").read_bytes()
    (tmp_path / "in" / "RS").write_bytes(content[:-30])
    imported = vs.import_cohort(tmp_path / "in", tmp_path / "out")
    assert len(imported.cohort.cases) == 1
    assert [Path(fault.file).name for fault in imported.left_out] == ["RS"]


def test_an_import_that_was_stopped_goes_on_to_the_same_cohort(voxels, tmp_path: Path) -> None:
    for patient in range(3):
        write_series(tmp_path / "in" / str(patient), voxels + patient, affine_of(), str(patient))
    whole = vs.import_cohort(tmp_path / "in", tmp_path / "whole")

    def stop(what: str, done: int, total: int) -> None:
        if what == "importing cases" and done == 1:
            raise KeyboardInterrupt

    key = tmp_path / "whole.key"
    with pytest.raises(KeyboardInterrupt):
        vs.import_cohort(tmp_path / "in", tmp_path / "again", key=key, progress=stop)
    vs.import_cohort(tmp_path / "in", tmp_path / "again", key=key)
    for case in whole.cohort.cases:
        path = case.images[0].relative_to(tmp_path / "whole")
        assert (tmp_path / "again" / path).read_bytes() == case.images[0].read_bytes()
    table = (tmp_path / "whole" / "cases.csv").read_text()
    assert (tmp_path / "again" / "cases.csv").read_text() == table
    shutil.rmtree(tmp_path / "again")


def test_a_look_writes_nothing(voxels, tmp_path: Path) -> None:
    write_series(tmp_path / "in", voxels, affine_of())
    before = sorted(tmp_path.rglob("*"))
    found = vs.find_cohort(tmp_path / "in")
    assert len(found.cases) == 1 and sorted(tmp_path.rglob("*")) == before


def test_a_slice_of_nothing_but_padding_is_filled_from_the_others(voxels, tmp_path: Path) -> None:
    stored = voxels.copy()
    stored[..., 0] = -2000
    write_series(tmp_path / "in", stored, affine_of(), modality="CT", padding=-2000)
    image = read_nifti(
        vs.import_cohort(tmp_path / "in", tmp_path / "out").cohort.cases[0].images[0]
    )
    assert (image.voxels[..., 0] == voxels[..., 1:].min()).all()
