"""Visits from cohorts and from crops: who, when, which side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vesalius.anatomy.attributes import case_values
from vesalius.phantoms.cohorts.visits import write_knees
from vesalius.scans.input_error import InputError
from vesalius.scans.visit_layouts import read_visits


def _png(path: Path, bright_left: bool) -> None:
    picture = np.zeros((16, 16), np.uint8)
    picture[:, :8] = 255
    Image.fromarray(picture if bright_left else picture[:, ::-1]).save(path)


def test_a_cohort_of_visits_shows_right_sides_by_time(tmp_path: Path) -> None:
    cohort = write_knees(tmp_path, 8, 0, 32, (0.0, 3.0))
    visits = read_visits(tmp_path, 32)
    left = case_values(cohort, "left") == 1
    assert left.any() and not left.all() and np.array_equal(visits.mirrored, left)
    # the fibula lies on the outer side, which is the left of a right knee's picture
    low = visits.images[:, 0, -6:].astype(float)
    outer, inner = (low[:, :, part].mean(axis=(1, 2)) for part in (slice(6), slice(-6, None)))
    assert (outer - inner)[left].mean() > 0 and (outer - inner)[~left].mean() > 0
    rows = visits.trajectories()[visits.subjects[0]]
    assert visits.years[rows].tolist() == [0.0, 3.0]
    assert set(visits.attributes) >= {"kl_grade", "joint_space_mm_medial"}
    training, held_out = visits.split_by_patient(0.25, seed=0)
    assert len(held_out) == 4 and not set(training.patients) & set(held_out.patients)


def test_a_cohort_without_years_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a long path would cut the message
    write_knees(tmp_path, 2, 0, 32, (0.0,))
    table = tmp_path / "cases.csv"
    table.write_text(table.read_text().replace("years", "weeks"))
    with pytest.raises(InputError, match="tells no years of knee_0000_v0"):
        read_visits(".")


def test_crops_of_oai_tell_side_date_and_grade(tmp_path: Path) -> None:
    for name in ("9000099_20010101_20050101_l", "9000099_02_20090101_l", "9000099_03_20050101_r"):
        _png(tmp_path / f"{name}.png", name.endswith("l"))
    (tmp_path / "grades.csv").write_text(
        "img name,kls\n9000099_20010101_20050101_l.png,1\n9000099_02_20090101_l.png,\n"
    )
    visits = read_visits(tmp_path, 16)
    assert set(visits.subjects) == {"9000099_l", "9000099_r"}
    assert set(visits.patients) == {"9000099"}
    rows = visits.trajectories()["9000099_l"]
    assert visits.years[rows] == pytest.approx([0, 4], abs=0.01)
    assert visits.attributes["kl_grade"][rows[0]] == 1
    assert np.isnan(visits.attributes["kl_grade"][rows[1]])
    assert visits.images[rows[0], 0, 0, 0] == 0 and visits.images[rows[0], 0, 0, -1] == 1
    assert visits.images[visits.trajectories()["9000099_r"][0], 0, 0, -1] == 1


def test_crops_of_most_tell_their_visit(tmp_path: Path) -> None:
    for name in ("MB00001_V0_a_r", "MB00001_V5_b_r"):
        _png(tmp_path / f"{name}.png", True)
    assert read_visits(tmp_path, 16).years.tolist() == [0.0, 7.0]


@pytest.mark.parametrize(
    ("name", "fault"), [("knee.png", "no name of OAI or MOST"), ("9_7_r.png", "no date")]
)
def test_a_name_that_tells_nothing_is_refused(
    name: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a long path would cut the message
    _png(tmp_path / name, True)
    with pytest.raises(InputError, match=fault):
        read_visits(".")


def test_both_knees_of_a_patient_are_two_subjects(tmp_path: Path) -> None:
    cohort = write_knees(tmp_path, 6, 0, 32, (0.0,))
    patients = {case.name: "one" for case in cohort.cases}
    table = tmp_path / "cases.csv"
    for case in cohort.cases:
        table.write_text(table.read_text().replace(case.subject, patients[case.name]))
    visits = read_visits(tmp_path, 32)
    assert set(visits.subjects) == {"one_l", "one_r"} and set(visits.patients) == {"one"}
