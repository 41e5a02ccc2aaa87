"""Knees over the years: what is drawn is what is told, and risk can be learnt but not read off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vesalius.phantoms.cohorts.visits import write_knees
from vesalius.phantoms.knee.anatomy import draw_anatomy
from vesalius.phantoms.knee.disease import FAST, KneeState
from vesalius.phantoms.knee.patient import KneePatient
from vesalius.phantoms.knee.phantom import FIELD_MM, Positioning, draw_knee
from vesalius.scans.input_error import InputError

STRAIGHT = Positioning((0.0, 0.0), 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("space", "spur", "sclerosis", "lost", "grade"),
    [
        (5.0, 0.5, 0.0, 0.05, 0), (5.0, 1.5, 0.0, 0.05, 1), (4.0, 0.5, 0.0, 0.2, 1),
        (5.0, 3.0, 0.0, 0.1, 2), (3.0, 3.0, 0.2, 0.4, 3), (1.0, 4.0, 0.4, 0.8, 3),
        (1.0, 4.0, 0.6, 0.8, 4),
    ],
)  # fmt: skip
def test_grades_follow_from_the_rules(
    space: float, spur: float, sclerosis: float, lost: float, grade: int
) -> None:
    state = KneeState((space, 5.4), (spur, 0.0), (sclerosis, 0.0), (lost, 0.0))
    assert state.kl_grade == grade


@pytest.mark.parametrize("left", [False, True])
def test_a_joint_space_closes_in_the_picture_by_what_is_asked_for(left: bool) -> None:
    anatomy = next(a for a in (draw_anatomy(np.random.default_rng(s)) for s in range(20))
                   if a.left is left)  # fmt: skip
    widths = {}
    for medial in (2.0, 5.0):
        state = KneeState((medial, 5.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))
        picture = draw_knee(anatomy, state, STRAIGHT, np.random.default_rng(0), 192).voxels[:, 0]
        pixel = FIELD_MM / 192
        for name, at in (("medial", -23.0), ("lateral", 23.0)):
            column = round((-at if left else at) * anatomy.scale / pixel + 95.5)
            line = picture[column - 2 : column + 3].mean(axis=0)
            widths[name, medial] = _dark_mm(line, pixel)
    assert widths["medial", 5.0] - widths["medial", 2.0] == pytest.approx(3.0, abs=0.8)
    assert abs(widths["lateral", 5.0] - widths["lateral", 2.0]) < 0.8


def _dark_mm(line: np.ndarray, pixel: float) -> float:
    """The dark run at the joint, above and below which the bones' plates are bright."""
    near = line[round(95.5 - 3 / pixel) : round(95.5 + 10 / pixel)]
    darkest = int(near.argmin())
    bright = near > (near.min() + near.max()) / 2
    above, below = bright[darkest:].argmax(), bright[:darkest][::-1].argmax()
    return float(above + below) * pixel


def test_risk_can_be_learnt_but_not_read_off() -> None:
    patients = [KneePatient.generated(seed) for seed in range(1500)]
    first, last = ([p.at(years) for p in patients] for years in (0.0, 8.0))
    fast = [b.kl_grade - a.kl_grade >= FAST for a, b in zip(first, last, strict=True)]
    assert 0.15 < np.mean(fast) < 0.35
    assert 0.78 < roc_auc_score(fast, [p.disease.hazard for p in patients]) < 0.88
    assert roc_auc_score(fast, [-min(s.joint_space_mm) for s in first]) < 0.62
    assert roc_auc_score(fast, [max(s.osteophyte_mm) for s in first]) < 0.67


def test_visits_show_one_knee_each_time_anew() -> None:
    patient = KneePatient.generated(4)
    again = KneePatient.generated(4)
    one, two = patient.radiograph(0.0, 48), patient.radiograph(2.0, 48)
    assert np.array_equal(one.voxels, again.radiograph(0.0, 48).voxels)
    assert not np.array_equal(one.voxels, two.voxels)
    assert patient.anatomy == again.anatomy


def test_a_cohort_of_visits_is_the_same_in_any_number_of_processes(tmp_path: Path) -> None:
    one, two = (
        write_knees(tmp_path / str(workers), 3, 1, 32, (0.0, 4.0), workers=workers)
        for workers in (1, 2)
    )
    assert [case.visit for case in one.cases] == ["v0", "v1"] * 3
    assert len({case.subject for case in one.cases}) == 3
    table = (one.folder / "cases.csv").read_bytes()
    assert table == (two.folder / "cases.csv").read_bytes()
    for first, second in zip(one.cases, two.cases, strict=True):
        assert first.images[0].read_bytes() == second.images[0].read_bytes()
    with pytest.raises(InputError, match="are no visits"):
        write_knees(tmp_path / "none", 3, years=(4.0, 0.0))
