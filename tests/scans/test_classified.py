"""Classified images in the layouts of others, on small files made in their formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from vesalius.phantoms.cohorts.findings import write_findings
from vesalius.scans.classified import Classified
from vesalius.scans.classified_layouts import read_classified
from vesalius.scans.input_error import InputError
from vesalius.scans.pictures import read_picture

RAMP = np.arange(64, dtype=np.uint8).reshape(8, 8)


def _png(path: Path, pixels: np.ndarray = RAMP) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def _dicom(path: Path, photometric: str) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    content.Rows, content.Columns, content.SamplesPerPixel = 8, 8, 1
    content.BitsAllocated = content.BitsStored = 16
    content.HighBit, content.PixelRepresentation = 15, 0
    content.PhotometricInterpretation = photometric
    content.RescaleSlope, content.RescaleIntercept = 2, -10
    content.PixelData = RAMP.astype(np.uint16).tobytes()
    content.save_as(path, enforce_file_format=True)


def test_dicom_comes_in_its_units_and_dense_is_bright(tmp_path: Path) -> None:
    for name, photometric in (("plain.dcm", "MONOCHROME2"), ("inverted", "MONOCHROME1")):
        _dicom(tmp_path / name, photometric)
    plain, inverted = (read_picture(tmp_path / name) for name in ("plain.dcm", "inverted"))
    assert np.array_equal(plain, 2.0 * RAMP - 10)
    assert np.array_equal(inverted, plain[::-1, ::-1] + 10)


def test_sixteen_bit_and_colour_pictures_are_read_whole(tmp_path: Path) -> None:
    _png(tmp_path / "deep.png", RAMP.astype(np.uint16) * 1000)
    _png(tmp_path / "colour.png", np.repeat(RAMP[..., None], 3, axis=2))
    assert read_picture(tmp_path / "deep.png").max() == 63_000
    assert np.array_equal(read_picture(tmp_path / "colour.png"), RAMP)


def test_chexpert_is_read_as_it_is(tmp_path: Path) -> None:
    head = "Path,Sex,Age,Frontal/Lateral,AP/PA,Cardiomegaly,Edema\n"
    name = "CheXpert-v1.0-small/{}/patient0000{}/study1/view{}_{}.jpg"
    lines = [
        (1, 1, "Frontal", "1.0,-1.0"),
        (1, 2, "Lateral", "1.0,-1.0"),
        (2, 1, "Frontal", ",0.0"),
    ]
    text = head + "".join(
        f"{name.format('train', p, v, view.lower())},Male,60,{view},AP,{reported}\n"
        for p, v, view, reported in lines
    )
    (tmp_path / "train.csv").write_text(text)
    valid = name.format("valid", 9, 1, "frontal")
    (tmp_path / "valid.csv").write_text(f"{head}{valid},Female,50,Frontal,PA,0.0,1.0\n")
    for part in ("train/patient00001", "train/patient00002", "valid/patient00009"):
        _png(tmp_path / part / "study1/view1_frontal.jpg")
    found = read_classified(tmp_path, side=8)
    assert found.labels == ("Cardiomegaly", "Edema")
    assert found.subjects == ("patient00001", "patient00002", "patient00009")
    assert found.splits == ("train", "train", "val")
    expected = [[1, np.nan], [0, 0], [0, 1]]
    assert np.array_equal(found.targets, expected, equal_nan=True)
    positive = read_classified(tmp_path, ["Edema"], side=8, uncertain="positive")
    assert positive.targets[:, 0].tolist() == [1, 0, 1]
    assert found.images.shape == (3, 1, 8, 8)


def test_chest_xray14_is_read_as_it_is(tmp_path: Path) -> None:
    rows = [
        ("a_000.png", "Effusion|Mass", 1),
        ("a_001.png", "No Finding", 1),
        ("b_000.png", "Mass", 2),
    ]
    (tmp_path / "Data_Entry_2017_v2020.csv").write_text(
        "Image Index,Finding Labels,Follow-up #,Patient ID\n"
        + "".join(f"{name},{said},0,{patient}\n" for name, said, patient in rows)
    )
    (tmp_path / "test_list.txt").write_text("b_000.png\n")
    for (name, *_), place in zip(rows, ("images_001", "images_001", "images_012"), strict=True):
        _png(tmp_path / place / "images" / name)
    found = read_classified(tmp_path, side=8)
    assert found.labels == ("Effusion", "Mass")
    assert found.targets.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert found.subjects == ("1", "1", "2") and found.splits == ("", "", "test")


@pytest.mark.parametrize(
    ("shape", "reported", "count"),
    [((6, 28, 28), 2, 1), ((6, 28, 28, 3), 4, 4), ((6, 12, 12, 12), 3, 3)],
)
def test_medmnist_is_read_in_two_and_three_dimensions(
    shape: tuple[int, ...], reported: int, count: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, shape, dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(6) % reported)[:, None]
    np.savez(tmp_path / "some_mnist.npz", **arrays)
    found = read_classified(tmp_path / "some_mnist.npz")
    colour = shape[-1] == 3
    expected = (18, 3, 28, 28) if colour else (18, 1, *shape[1:])
    assert found.images.shape == expected and found.dimensions == len(expected) - 2
    assert found.targets.shape == (18, count)
    assert len(found.of_split("test")) == 6
    assert 0 <= found.images.min() < found.images.max() <= 1


def test_a_table_of_ones_own_with_unknown_targets_and_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(
        "file,subject,split,tear\nx/a.png,anna,,1\nb.dcm,bert,test,\nc.png,carl,,0\n"
    )
    _png(tmp_path / "x/a.png")
    _dicom(tmp_path / "b.dcm", "MONOCHROME2")
    (tmp_path / "c.png").write_bytes(b"no picture")
    found = read_classified(tmp_path, side=8)
    assert found.names == ("x/a.png", "b.dcm")
    assert found.targets[0] == 1 and np.isnan(found.targets[1, 0])
    assert len(found.faults) == 1 and "c.png" in str(found.faults[0])
    (tmp_path / "labels.csv").write_text("file,tear\nx/a.png,perhaps\n")
    with pytest.raises(InputError, match=r"labels.csv:2: has 'perhaps' as a label"):
        read_classified(tmp_path)
    with pytest.raises(InputError, match="no layout that is known"):
        read_classified(tmp_path / "x")


def test_a_cohort_brings_its_labels_masks_and_subjects(tmp_path: Path) -> None:
    cohort = write_findings("radiograph", tmp_path / "cohort", 30, seed=1, side=32)
    found = read_classified(cohort.folder, side=32)
    assert found.masks is not None and found.masks.shape == (30, 5, 32, 32)
    assert np.array_equal(found.masks.any(axis=(2, 3)), found.targets == 1)
    assert found.origin == "phantom"
    training, held_out = found.split_by_subject(0.2, seed=0)
    assert len(held_out) == 6 and not set(training.subjects) & set(held_out.subjects)
    with pytest.raises(InputError, match="has no label fracture"):
        read_classified(cohort.folder, ["fracture"])


def test_a_subject_on_both_sides_is_refused() -> None:
    both = Classified(np.zeros((2, 1, 4, 4)), np.zeros((2, 1)), ("a",), ("x", "y"), ("s", "s"),
                      ("train", "val"))  # fmt: skip
    with pytest.raises(InputError, match="subject s stands in training and in validation"):
        both.split_by_subject(0.1, 0)
