"""Label maps of one's own get images: from files or a cohort, by names, and never halfway."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from vesalius.cli import main
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.volume import Volume
from vesalius.training.run import Run


@pytest.fixture
def folder(brains: Cohort, tmp_path: Path) -> Path:
    """Two label maps of a cohort as files alone."""
    place = tmp_path / "mine"
    place.mkdir()
    for number, case in enumerate(brains.cases[:2]):
        assert case.label_map is not None
        (place / f"drawn_{number}.nii.gz").write_bytes(case.label_map.read_bytes())
    return place


def test_each_label_map_gets_an_image_of_its_own(
    small_run: Run, folder: Path, tmp_path: Path
) -> None:
    made = vs.images_for_labels(small_run.folder, folder, out=tmp_path / "out", seed=3)
    assert [case.name for case in made.cases] == ["drawn_0", "drawn_1"]
    provenance = made.cases[0].provenance()
    assert provenance["synthetic"] and provenance["labels"] == "drawn_0.nii.gz"
    scan, own = made.read(made.cases[0]), read_nifti(folder / "drawn_0.nii.gz")
    assert np.bincount(scan.label_map.voxels.ravel())[1:].tolist() == (
        np.bincount(own.voxels.astype(int).ravel())[1:].tolist()
    )
    assert made.cases[0].attributes["ventricle_volume_ml"] > 0
    again = vs.images_for_labels(small_run.folder, folder, out=tmp_path / "again", seed=3)
    assert made.cases[0].images_digest() == again.cases[0].images_digest()
    other = vs.images_for_labels(small_run.folder, folder, out=tmp_path / "other", seed=4)
    assert made.cases[0].images_digest() != other.cases[0].images_digest()


def test_labels_of_a_cohort_are_known_by_their_names(
    small_run: Run, brains: Cohort, folder: Path, tmp_path: Path
) -> None:
    renumbered = {name: 7 * number for name, number in brains.description.labels.items()}
    place = tmp_path / "theirs"
    (place / "labelsTr").mkdir(parents=True)
    own = read_nifti(folder / "drawn_0.nii.gz")
    seven = Volume((7 * own.voxels).astype(np.uint8), own.affine)
    write_nifti(seven, place / "labelsTr/drawn_0.nii.gz", np.uint8)
    head = {"channel_names": {"0": "T1"}, "labels": renumbered, "file_ending": ".nii.gz",
            "numTraining": 1}  # fmt: skip
    (place / "dataset.json").write_text(json.dumps(head))
    made = vs.images_for_labels(small_run.folder, place, out=tmp_path / "named", seed=3)
    plain = vs.images_for_labels(small_run.folder, folder, out=tmp_path / "plain", seed=3)
    assert made.cases[0].images_digest() == plain.cases[0].images_digest()
    head["labels"] = renumbered | {"tumour": 99}
    (place / "dataset.json").write_text(json.dumps(head))
    with pytest.raises(InputError, match="names tumour, which the run does not know"):
        vs.images_for_labels(small_run.folder, place, out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_faulty_label_map_is_listed_and_the_others_go_on(
    small_run: Run, folder: Path, tmp_path: Path
) -> None:
    own = read_nifti(folder / "drawn_0.nii.gz")
    wide = np.pad(own.voxels, 40, mode="edge")
    wide[0, 0, 0] = wide[-1, -1, -1] = own.voxels.max()
    wide[:30] = own.voxels.max()
    write_nifti(Volume(wide.astype(np.uint8), own.affine), folder / "wide.nii.gz", np.uint8)
    faults: list[InputProblem] = []
    made = vs.images_for_labels(small_run.folder, folder, out=tmp_path / "out", faults=faults)
    assert len(made.cases) == 2 and "outside the space that the run has learnt" in str(faults[0])
    with pytest.raises(InputError, match="holds no label map"):
        vs.images_for_labels(small_run.folder, tmp_path / "out/provenance", out=tmp_path / "none")
    with pytest.raises(InputError):
        vs.images_for_labels(small_run.folder, folder, out=folder)


@pytest.mark.parametrize("option", ["--cohort", "--attribute", "--allow-copies"])
def test_options_that_label_maps_have_no_use_for_are_refused(
    small_run: Run, folder: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"--cohort": [str(folder)], "--attribute": ["ventricle_volume_ml=20:30"]}
    line = ["generate", str(small_run.folder), "--labels", str(folder), "--out",
            str(tmp_path / "never"), option, *given.get(option, [])]  # fmt: skip
    with pytest.raises(SystemExit):
        main(line)
    assert f"{option}: has no meaning for label maps" in capsys.readouterr().err
    assert not (tmp_path / "never").exists()
