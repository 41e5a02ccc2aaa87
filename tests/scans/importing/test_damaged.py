"""Files damaged at random are imported, listed or refused; nothing else comes out of a library."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from tests.scans.importing.made_up_dicom import affine_of, write_enhanced, write_series
from tests.scans.importing.test_layouts import bids, image, save
from tests.scans.importing.test_public_sets import lidc, rsna_lumbar, spider, totalsegmentator

TRIES = 12


def series(folder: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 900, (9, 11, 5)).astype(np.int16)
    write_series(folder / "a", voxels, affine_of(), "1")
    write_series(folder / "b", voxels, affine_of(), "2")


def enhanced(folder: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 900, (9, 11, 5)).astype(np.int16)
    write_enhanced(folder / "one", voxels, affine_of(), "1")


def nrrd(folder: Path) -> None:
    save(folder / "s1_t1.nrrd", image())


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut short, or with bytes changed, mostly near the start, where headers are."""
    result = bytearray(content)
    if result and rng.random() < 0.3:
        return bytes(result[: rng.randrange(len(result))])
    for _ in range(rng.choice((1, 5, 30)) if result else 0):
        result[rng.randrange(min(len(result), rng.choice((400, 4000, 10**6))))] = rng.randrange(256)
    return bytes(result)


@pytest.mark.parametrize(
    "made_up", [series, enhanced, nrrd, bids, spider, lidc, rsna_lumbar, totalsegmentator],
    ids=lambda one: one.__name__,
)  # fmt: skip
def test_a_damaged_file_is_imported_listed_or_refused(made_up, tmp_path: Path) -> None:
    sound = tmp_path / "sound"
    sound.mkdir()
    made_up(sound)
    files = sorted(path.relative_to(sound) for path in sound.rglob("*") if path.is_file())
    rng = random.Random(made_up.__name__)
    channels = ["T1={subject}_t1.nrrd"] if made_up is nrrd else []
    for number in range(TRIES):
        source = tmp_path / f"in{number}"
        shutil.copytree(sound, source)
        one = source / rng.choice(files)
        one.write_bytes(damaged(one.read_bytes(), rng))
        try:
            vs.import_cohort(source, tmp_path / f"out{number}", channels=channels)
        except vs.InputError as refusal:
            assert len(str(refusal)) <= 300 and "\n" not in str(refusal)
