"""From visits to prognoses: grades, risk, and the files of the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from vesalius.cli import main
from vesalius.methods.classification.grading import grade_probabilities, rise_risk
from vesalius.methods.progression.method import Progression
from vesalius.methods.progression.prognosis import ProgressionPipeline
from vesalius.methods.progression.recipe import PRESETS
from vesalius.phantoms.cohorts.visits import write_knees
from vesalius.report.prognosis_files import FRAME_MS, FRAMES, PAUSE_MS
from vesalius.scans.visit_layouts import read_visits
from vesalius.training.fit import fit, prepare


@pytest.fixture(scope="module")
def knees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("knees")
    write_knees(folder, 110, 0, 16, (0.0, 8.0), workers=2)
    return folder


@pytest.fixture(scope="module")
def run(knees: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    fit(prepare(Progression(), knees, PRESETS["smallest"]), folder)
    return folder


def test_risk_is_a_probability_of_grades_that_add_up(knees: Path, run: Path) -> None:
    visits = read_visits(knees, 16)
    rows = visits.first()[:6]
    prognosis = ProgressionPipeline.open(run)
    assert prognosis.pair is not None  # 22 held-out patients with both grades known
    found = prognosis.of(visits.images[rows], (2.0, 8.0))
    assert np.allclose(found.grades_now.sum(axis=1), 1)
    assert np.allclose(found.futures.grades.sum(axis=2), 1)
    assert found.risk.shape == (6, 2) and ((found.risk > 0) & (found.risk < 1)).all()
    raw = rise_risk(found.grades_now, found.futures.grades[:, 1])
    assert np.allclose(prognosis.calibrated(raw), found.risk[:, 1])


def test_the_command_writes_pictures_changes_an_animation_and_readings(
    knees: Path, run: Path, tmp_path: Path
) -> None:
    image = knees / "imagesTr/knee_0003_v0_0000.nii.gz"
    main(["forecast", str(run), str(image), "--years", "1,4", "--left", "--out", str(tmp_path)])
    files = {path.name for path in tmp_path.iterdir()}
    stem = "knee_0003_v0_0000"
    assert files == {
        f"{stem}_now.png", f"{stem}_1y.png", f"{stem}_1y_change.png", f"{stem}_4y.png",
        f"{stem}_4y_change.png", f"{stem}_1y_fast.png", f"{stem}_4y_fast.png", f"{stem}.gif",
        f"{stem}.csv", "made.json",
    }  # fmt: skip
    assert "SYNTHETIC" in Image.open(tmp_path / f"{stem}_1y.png").info["Comment"]
    assert "Comment" not in Image.open(tmp_path / f"{stem}_now.png").info
    film = ImageSequence.all_frames(Image.open(tmp_path / f"{stem}.gif"))
    shown = sum(frame.info["duration"] for frame in film)  # frames that are alike are one
    assert len(film) > 2 and shown == 3 * PAUSE_MS + 2 * (FRAMES - 1) * FRAME_MS
    head, one, four = (tmp_path / f"{stem}.csv").read_text().splitlines()
    assert head.startswith("years,joint_space_mm_medial,joint_space_mm_medial_low")
    assert len(one.split(",")) == len(four.split(",")) == len(head.split(","))


def test_grades_follow_from_probabilities_of_being_at_least() -> None:
    found = grade_probabilities(np.array([[0.9, 0.5, 0.6, 0.1]]))
    assert found.sum() == pytest.approx(1) and (found >= 0).all()
    assert found[0].tolist() == pytest.approx([0.1, 0.4, 0.0, 0.4, 0.1])
    certain = np.eye(5)
    assert rise_risk(certain[[0, 0, 3]], certain[[1, 2, 4]]).tolist() == [0, 1, 0]
