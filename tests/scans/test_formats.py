"""Each kind of file has one reader: bounded, and with one line for whatever is wrong."""

from __future__ import annotations

import errno
import gzip
import os
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter

from benchmarks.fuzz_entrances import _dicom
from vesalius.networks.weights import read_tensors, write_tensors
from vesalius.scans import memory
from vesalius.scans.formats.content import read_bytes, read_text, unreadable
from vesalius.scans.formats.json_file import OBJECT, read_json, write_json
from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.formats.npz import read_arrays
from vesalius.scans.formats.raster import read_raster
from vesalius.scans.formats.table import read_table, table_text, write_table
from vesalius.scans.input_error import LONGEST_MESSAGE, InputError, InputProblem
from vesalius.scans.memory import free_memory_bytes, require_memory
from vesalius.scans.pictures import read_picture, standard
from vesalius.scans.volume import Volume
from vesalius.scans.writing import append_line, refused_if_unwritable, remove_if_there, replacing
from vesalius.training.store import allocated


def refused(match: str):  # type: ignore[no-untyped-def]
    return pytest.raises(InputError, match=match)


# ------------------------------------------------------------------------------- text and JSON
@pytest.mark.parametrize(
    ("encoding", "match"),
    [
        ("latin-1", "is not UTF-8 .byte 0xfc in line 2."), ("utf-16", "is text in UTF-16"),
        ("utf-32", "is text in UTF-32"), ("cp1252", "is not UTF-8"),
    ],
)  # fmt: skip
def test_text_in_another_encoding_is_named(tmp_path: Path, encoding: str, match: str) -> None:
    path = tmp_path / "cases.csv"
    path.write_bytes("case,subject\na,Müller\n".encode(encoding))
    with refused(match):
        read_table(path)
    path.write_bytes("case,subject\na,Müller\n".encode("utf-8-sig"))
    assert [row["subject"] for row in read_table(path)] == ["Müller"]


def test_what_is_no_file_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    for name, match in (
        ("folder", "is a folder, not a file"), ("nothing", "does not exist"),
        ("loop", "link to itself"), ("pipe", "is no regular file"), ("x" * 300, "too long a name"),
        ("nothing/below", "does not exist"), ("nul\x00l", "does not exist"),
    ):  # fmt: skip
        with refused(match):
            read_bytes(tmp_path / name, 10)
    with refused("is no regular file"):
        read_text(Path("/dev/zero"))


def test_a_file_that_may_not_be_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("case\n")

    def denied(*_: object, **__: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with refused("may not be read; give yourself permission"):
        read_table(path)
    assert (
        "input/output error"
        in unreadable("x", OSError(errno.EIO, "Input/output error")).fault.fault
    )


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.json").open("wb") as stream:
        stream.truncate(10**10)
    with refused("has 10000 MB, at most 67 MB are read"):
        read_json(tmp_path / "huge.json", OBJECT)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 5000, "nul", '{"a": 1e', "\ufeff", "[]", '"x"', "1" * 10_000]
)
def test_json_of_another_shape_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError) as found:
        read_json(tmp_path / "x.json", OBJECT)
    assert len(str(found.value)) <= LONGEST_MESSAGE and "\n" not in str(found.value)


def test_our_own_json_is_numbered_and_damage_in_it_is_found(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    write_json(path, {"cases": 3, "names": ["ü"]}, 1)
    model = TypeAdapter(dict[str, object])
    assert read_json(path, model, newest=1) == {"cases": 3, "names": ["ü"]}
    path.write_text(path.read_text().replace("3", "4"))
    with refused("was changed since it was written"):
        read_json(path, model, newest=1)
    path.write_text('{"format": 2}')
    with refused("has form 2, this version knows 1; update vesalius"):
        read_json(path, model, newest=1)


def test_messages_are_one_printable_line_whatever_a_file_brings_in() -> None:
    fault = InputProblem("\x1b[2J" + "deep/" * 200, "says\n\udcff" + "x" * 9000, "mend\r\nit" * 99)
    assert len(str(fault)) <= LONGEST_MESSAGE and str(fault).isprintable()
    assert str(InputProblem("a/b.nii", "is odd", "mend it")) == "a/b.nii: is odd; mend it"


# ------------------------------------------------------------------------------------- tables
def test_tables_keep_every_cell_to_the_letter(tmp_path: Path) -> None:
    cells = ["Doe, John", 'said "no"', "line\nend", " spaces ", "", "1.23456789012345678", "ü\r\nx"]
    write_table(tmp_path / "t.csv", ["a"] * 0 + [f"c{n}" for n in range(7)], [cells])
    table = read_table(tmp_path / "t.csv")
    assert list(table.records[0]) == cells and table.lines == (2,)
    assert table_text(table.columns, table.records) == (tmp_path / "t.csv").read_bytes().decode()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,a\n1,2\n", "two columns named a"), ("b\n1\n", "no column named a"),
        ("a\n" + "x" * 140_000, "field larger than field limit"),
        ("a" + "," * 5000 + "\n", "has 5001 cells"), ("", "no column named a"),
    ],
)  # fmt: skip
def test_a_table_of_another_shape_is_refused(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with refused(match):
        read_table(tmp_path / "t.csv", ["a"])


def test_rows_are_told_by_the_line_they_begin_in(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('\na,b\n\n"two\nlines",1\nshort\nlong,1,2, ,3\n')
    table = read_table(tmp_path / "t.csv")
    assert [(row.line, row.get("b", "none"), row.surplus) for row in table] == [
        (4, "1", 0), (6, "none", 0), (7, "1", 2),
    ]  # fmt: skip


# -------------------------------------------------------------------------------------- scans
def _header_changed(path: Path, place: int, value: np.ndarray, gz: bool = True) -> None:
    raw = bytearray(gzip.decompress(path.read_bytes()) if gz else path.read_bytes())
    raw[place : place + value.nbytes] = value.tobytes()
    path.write_bytes(gzip.compress(bytes(raw)) if gz else bytes(raw))


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        (80, np.array([200, 200, 200], "<f4"), "m long; correct pixdim"),
        (80, np.array([1e-9], "<f4"), "has spacing"),
        (70, np.array([128, 24], "<i2"), "holds colours or complex numbers"),
        (70, np.array([32, 64], "<i2"), "holds colours or complex numbers"),
        (70, np.array([9999], "<i2"), "damaged header|not readable"),
        (42, np.array([3000, 3000, 9], "<i2"), "more than it can hold"),
        (280, np.full(12, np.nan, "<f4"), "affine of no volume"),
        (280, np.zeros(12, "<f4"), "affine of no volume"),
        (280, np.array([1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0], "<f4"), "affine of no volume"),
        (280, np.array([1, 0, 0, 1e30], "<f4"), "affine of no volume"),
        (112, np.array([np.nan], "<f4"), "NaN|has 8 voxels|sound"),
        (40, np.array([9], "<i2"), "is not a NIfTI image"),
    ],
)  # fmt: skip
def test_a_header_that_no_volume_has_is_refused(
    tmp_path: Path, place: int, value: np.ndarray, match: str
) -> None:
    path = tmp_path / "scan.nii.gz"
    write_nifti(Volume(np.random.default_rng(0).random((24, 24, 24)), np.eye(4)), path)
    _header_changed(path, place, value)
    if place == 112:  # a scale that is no number is none, as nibabel has it
        assert np.isfinite(read_nifti(path).voxels).all()
        return
    with refused(match):
        read_nifti(path)


def test_a_volume_that_no_memory_holds_is_refused_before_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scan.nii"
    nib.save(nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), path)
    _header_changed(path, 42, np.array([1024, 1024, 1024], "<i2"), gz=False)
    with path.open("r+b") as stream:
        stream.truncate(352 + 2**30)
    monkeypatch.setattr("vesalius.scans.memory.free_memory_bytes", lambda: 8e9)
    tracemalloc.start()
    with refused("needs 12.9 GB of memory, 8.0 GB are free"):
        read_nifti(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_free_memory_is_that_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CONTROL_GROUP", tmp_path)
    whole = free_memory_bytes()
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert free_memory_bytes() == 600_000 < whole
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory_bytes() > 600_000
    with refused("needs 1000000.0 GB"):
        require_memory("x", 1e15, "crop it")


# ----------------------------------------------------------------------------------- pictures
def test_pictures_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "eps.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    nan = np.full((4, 4), np.nan, np.float32)
    Image.fromarray(nan).save(tmp_path / "nan.tif")
    frames = [Image.new("L", (4, 4), n) for n in range(3)]
    frames[0].save(tmp_path / "several.tif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:])
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    for name, match in (
        ("eps.png", "is no readable picture"), ("nan.tif", "holds 16 NaN"),
        ("several.tif", "holds 3 pictures"), ("moving.png", "holds 3 pictures"),
        ("bomb.png", "pixels"),
    ):  # fmt: skip
        with refused(match):
            read_raster(tmp_path / name)
    with refused("correct the table, or add the file"):
        read_picture(tmp_path / "nothing.png")


def test_a_strip_never_takes_the_memory_of_its_square() -> None:
    strip = np.random.default_rng(0).random((2, 32_000)).astype(np.float32)
    tracemalloc.start()
    found = standard(strip, 64)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert found.shape == (64, 64) and found[31:33].max() > 0 and found[:31].max() == 0
    with refused("5000 pixels are out of range"):
        standard(strip, 5000)


def test_what_a_picture_shows_stays_in_its_middle_and_its_proportion() -> None:
    wide = np.zeros((40, 80))
    wide[10:30, 20:60] = 1
    found = standard(wide, 40)
    rows, columns = np.nonzero(found > 0.5)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (15, 24, 10, 29)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"NumberOfFrames": 99_999_999}, "holds 99999999 pictures"),
        ({"Rows": 60_000}, "no readable"),
        ({"SamplesPerPixel": 3}, "3 values a pixel"),
        ({"RescaleSlope": float("nan")}, "NaN|no readable"),
        ({"BitsAllocated": 7}, "pixels of 7 bits|no readable"),
        ({"PixelData": None}, "holds no pixels"),
        ({"Columns": 65_000, "Rows": 65_000}, "promises 65000 × 65000 pixels"),
    ],
)  # fmt: skip
def test_dicom_that_promises_what_it_has_not_is_refused(
    tmp_path: Path, changed: dict[str, object], match: str
) -> None:
    from pydicom import dcmread

    _dicom(tmp_path, tmp_path)
    content = dcmread(tmp_path / "one.dcm")
    for name, value in changed.items():
        if value is None:
            delattr(content, name)
        elif name == "RescaleSlope":
            content.add_new(0x00281053, "FD", value)
        else:
            setattr(content, name, value)
    content.save_as(tmp_path / "changed.dcm")
    with refused(match):
        read_picture(tmp_path / "changed.dcm")
    assert read_picture(tmp_path / "one.dcm").shape == (12, 10)


# --------------------------------------------------------------------- archives and weights
def test_archives_that_fill_memory_are_refused_before_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    def archive(shape: tuple[int, ...], zeros: int, descr: str = "|u1") -> Path:
        header = io.BytesIO()
        entry = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, entry)
        with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as stream:
            stream.writestr("images.npy", header.getvalue() + bytes(zeros))
        return tmp_path / "x.npz"

    with refused("promises more in images than it holds"):
        read_arrays(archive((10**6, 10**6, 10**6), 10), ["images"])
    tracemalloc.start()
    with refused("times its size; check where it comes from"):
        read_arrays(archive((300_000_000,), 300_000_000), ["images"])
    tracemalloc.stop()
    with refused("holds no numbers in images"):
        read_arrays(archive((2,), 16, "<U2"), ["images"])
    assert read_arrays(archive((2,), 2), ["masks"]) == {}


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_array_of_an_archive_is_unpacked_to_disk(
    order: Literal["C", "F"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 999, (700, 40, 30)).astype(">i2", order=order)
    np.savez_compressed(tmp_path / "x.npz", images=images, few=np.arange(3))
    monkeypatch.setattr("vesalius.scans.formats.npz.AT_ONCE", 100_000)
    found = read_arrays(tmp_path / "x.npz", ["images", "few"])
    assert isinstance(found["images"], np.memmap) and not isinstance(found["few"], np.memmap)
    assert np.array_equal(found["images"], images) and found["images"].dtype == images.dtype
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=1000))
    with refused("the disk is full"):
        read_arrays(tmp_path / "x.npz", ["images"])


def test_weights_are_the_same_bytes_each_time_and_hold_numbers(tmp_path: Path) -> None:
    texts = {name: name for name in "abcdefgh"}
    written = set()
    for number in range(8):
        write_tensors(tmp_path / f"{number}.safetensors", {"w": torch.ones(2)}, texts)
        written.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(written) == 1
    assert read_tensors(tmp_path / "0.safetensors", "fit again")[1] == texts
    write_tensors(tmp_path / "nan.safetensors", {"w": torch.tensor([1.0, float("inf")])})
    with refused("holds NaN or infinite numbers in w; fit again"):
        read_tensors(tmp_path / "nan.safetensors", "fit again")
    with refused("does not exist; fit again"):
        read_tensors(tmp_path / "nothing.safetensors", "fit again")


# ------------------------------------------------------------------------------------ writing
def test_half_a_file_never_takes_the_place_of_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("whole")
    with refused("the disk is full"):
        with replacing(tmp_path / "x.txt") as partial:
            partial.write_text("ha")
            raise OSError(errno.ENOSPC, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]
    assert (tmp_path / "x.txt").read_text() == "whole"


def test_a_medium_that_cannot_be_written_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fixed(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", fixed)
    monkeypatch.setattr(Path, "unlink", fixed)
    with refused("cannot be written .read-only file system."):
        with replacing(tmp_path / "x.txt") as partial:
            partial.write_text("x")
    remove_if_there(tmp_path / "x.txt")
    with refused("cannot be written"), refused_if_unwritable("x"):
        fixed()


def test_a_line_that_was_cut_short_is_closed_off(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a\nb")
    append_line(tmp_path / "log", "c")
    assert (tmp_path / "log").read_text() == "a\nb\nc\n"


def test_room_on_disk_is_taken_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = allocated(tmp_path / "x.npy", np.uint8, (1000, 1000))
    assert array.shape == (1000, 1000) and (tmp_path / "x.npy").stat().st_blocks * 512 >= 10**6
    with pytest.raises(OSError, match="No space left"):
        allocated(tmp_path / "y.npy", np.uint8, (2**50,))

    def none_left(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", none_left)
    with pytest.raises(OSError, match="No space left"):
        allocated(tmp_path / "z.npy", np.uint8, (10,))


def test_weights_on_a_full_disk_name_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    from vesalius.networks import weights

    said = "Error while serializing: I/O error: No space left on device (os error 28)"

    def full(*_: object) -> None:
        raise SafetensorError(said)

    monkeypatch.setattr(weights, "save_file", full)
    with refused("the disk is full; free some space"):
        write_tensors(tmp_path / "w.safetensors", {"w": torch.ones(2)})
    said = "no such tensor"
    with pytest.raises(SafetensorError):
        write_tensors(tmp_path / "w.safetensors", {"w": torch.ones(2)})
