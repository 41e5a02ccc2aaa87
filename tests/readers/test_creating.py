"""From a design to a study: what is refused, made alike, ordered, and kept from readers."""

from __future__ import annotations

import io
import json
import stat
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from conftest import Making  # type: ignore[import-not-found]
from PIL import Image, PngImagePlugin

from vesalius.readers.blinding import alike, repainted, written
from vesalius.readers.design import read_design
from vesalius.readers.orders import crossover, order_of
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("- a\n- b\n", "holds no design"),
        ("design: [", "is not YAML"),
        ("design: guesswork\ntitle: x\n", "design"),
        ("design: realism\ntitle: x\nsources: [{cohort: a, origin: dream}]\n", "origin"),
        ("design: realism\ntitle: x\nreaders: many\nsources: []\n", "readers"),
    ],
)
def test_a_wrong_design_is_refused_by_its_entry(tmp_path: Path, text: str, reported: str) -> None:
    path = tmp_path / "design.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=reported):
        read_design(path)


def test_too_few_cases_repeats_or_a_folder_in_use_are_refused(make: Making) -> None:
    with pytest.raises(InputError, match="holds 8 cases, 8 and 2 for practice"):
        make("diagnosis", cases=8, practice=2)
    with pytest.raises(InputError, match="repeats"):
        make("saliency", repeats=4)
    make("realism")
    with pytest.raises(InputError, match="holds a study already"):
        make("realism")
    with pytest.raises(InputError, match=r"films/cases.csv: tells no grade"):
        make("diagnosis", truth="grade")
    with pytest.raises(InputError, match=r"gives 1 cases of ill 1 and 1 of 0"):
        make("diagnosis", cases=2, repeats=0)


def test_pictures_that_cannot_be_read_or_mixed_are_refused(make: Making, sources: Path) -> None:
    mixed = [{"cohort": "real", "origin": "real"}, {"cohort": "films", "origin": "synthetic"}]
    with pytest.raises(InputError, match=r"is flat where others are volumes"):
        make("realism", sources=mixed)
    broken = sources / "broken"
    broken.mkdir()
    for number in range(8):
        (broken / f"case2_{number}_nodule_{number}.png").write_text("no picture")
    with pytest.raises(InputError, match=r"broken/case2_\d.*is no readable picture"):
        make("saliency", methods={"gradient": "gradient", "broken": "broken"})


def test_files_of_both_origins_are_alike_but_for_voxels(make: Making) -> None:
    study = make("realism")
    truths = {item.truth for item in study.key()}
    assert truths == {"real", "synthetic"}
    heads, sizes, names = set(), set(), set()
    for files in study.outline.items:
        content = study.content(files[0])
        heads.add(content[:352])
        sizes.add(len(content))
        names.add(len(files[0].name))
        image = nib.Nifti1Image.from_bytes(content)
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        voxels = np.asarray(image.dataobj)
        assert voxels.min() == 0 and voxels.max() == 1000  # whatever the range was before
    assert len(heads) == len(sizes) == len(names) == 1
    reported = (study.folder / "private/blinding.csv").read_text()
    assert reported.startswith("number,real,synthetic,auc") and reported.count("\n") == 6


def test_painted_pictures_are_files_of_one_size(make: Making) -> None:
    for design in ("saliency", "diagnosis"):
        study = make(design)
        painted = [one for files in study.outline.items for one in files if one.ending == ".png"]
        assert len(painted) > 6 and len({len(study.content(one)) for one in painted}) == 1
        with Image.open(io.BytesIO(study.content(painted[0]))) as image:
            image.load()
            assert image.size == (16, 8) and not image.info


def test_grids_that_differ_are_all_brought_to_the_coarsest() -> None:
    rng = np.random.default_rng(0)
    fine = Volume(rng.random((20, 20, 20)), np.diag([1.0, 1.0, 1.0, 1.0]))
    coarse = Volume(rng.random((8, 8, 8)), np.diag([-2.0, -2.0, 2.0, 1.0]))
    one, two = alike([fine, coarse], None)
    assert one.shape == two.shape == (10, 10, 10)
    assert one.spacing_mm == two.spacing_mm == (2.0, 2.0, 2.0)
    assert len(written(one)) == len(written(two))


def test_a_flat_picture_stands_upright_and_values_keep_their_units() -> None:
    voxels = np.full((5, 1, 4), -900.0)
    voxels[0, 0, 3] = 50.0  # the patient's left, at the top
    flat = alike([Volume(voxels, np.eye(4))], (-1000.0, 40.0))[0]
    assert flat.shape == (5, 4, 1)
    assert np.argwhere(flat.voxels == 40).tolist() == [[4, 3, 0]]  # right of the screen, at the top
    assert flat.voxels.min() == -900


def test_pictures_keep_pixels_alone(sources: Path) -> None:
    path = sources / "told.png"
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "SYNTHETIC")
    Image.new("RGB", (4, 4), (1, 2, 3)).save(path, pnginfo=note)
    assert b"SYNTHETIC" in path.read_bytes() and b"SYNTHETIC" not in repainted(
        path.read_bytes(), path
    )


def test_what_is_served_tells_no_truth_and_what_is_private_is_the_owners(make: Making) -> None:
    study = make("diagnosis")
    served = (study.folder / "study.json").read_text()
    for secret in [*study.tokens(), *(item.case for item in study.key()), "films", "truth"]:
        assert secret not in served
    private = study.folder / "private"
    for path in [private, *private.iterdir()]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert path.name == "blinding.csv" or stat.S_IMODE(path.stat().st_mode) == wanted
    assert all(study.reader_of(token) == number for number, token in enumerate(study.tokens()))
    assert study.reader_of("") is None and study.reader_of(study.outline.readers[0]) is None


def test_each_reader_has_an_order_of_their_own_with_repeats_behind_the_middle() -> None:
    orders = [order_of(20, 2, 4, 3, 0, reader) for reader in range(6)]
    assert orders == [order_of(20, 2, 4, 3, 0, reader) for reader in range(6)]
    assert len({tuple(step.item for step in steps) for steps in orders}) == 6
    for steps in orders:
        assert [step.kind for step in steps[:2]] == ["practice"] * 2
        main = [step.item for step in steps if step.kind == "main"]
        assert sorted(main) == list(range(20))
        for place, step in enumerate(steps):
            if step.kind == "repeat":
                before = [one.item for one in steps[2:place] if one.kind == "main"]
                assert step.item in before[:10] and len(before) >= 10
    arranged = Counter(step.arrangement[0] for steps in orders for step in steps)
    assert set(arranged) == {0, 1, 2} and min(arranged.values()) > 30


def test_the_crossover_shows_every_case_once_with_and_once_without_the_aid() -> None:
    truths = ["yes", "no"] * 5
    orders = [crossover(truths, 2, 3, 0, reader) for reader in range(4)]
    for reader, steps in enumerate(orders):
        main = [step for step in steps if step.kind == "main"]
        seen = {(step.item, step.session): step.aided for step in main}
        assert len(seen) == len(main) == 20
        assert all(seen[item, 1] != seen[item, 2] for item in range(10))
        first = [item for item in range(10) if seen[item, 1]]
        assert len(first) == 5 and 2 <= sum(truths[item] == "yes" for item in first) <= 3
        other = {step.item for step in orders[reader - 1]
                 if step.kind == "main" and step.session == 1 and step.aided}  # fmt: skip
        assert other == set(range(10)) - set(first)  # the neighbouring reader begins the other way
        for session in (1, 2):
            own = [step for step in steps if step.session == session]
            assert {step.aided for step in own if step.kind == "practice"} == {False, True}
            for step in own:
                if step.kind == "repeat":
                    assert step.aided == seen[step.item, session]


def test_a_damaged_study_is_refused(make: Making) -> None:
    from vesalius.readers.study import Study

    study = make("saliency")
    path = study.folder / "study.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"design": "other"}))
    with pytest.raises(InputError, match="damaged"):
        Study.open(study.folder)
    with pytest.raises(InputError, match="holds no study"):
        Study.open(study.folder.parent)
