"""A progression run from visits to futures: what is refused, resumed, generated and measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vesalius.methods.progression.choosing import NO_CHANGE
from vesalius.methods.progression.evaluator import read_attributes
from vesalius.methods.progression.futures import Forecaster
from vesalius.methods.progression.method import Progression
from vesalius.methods.progression.picture_detail import (
    PictureDetail,
    PictureDetailObjective,
    with_detail,
)
from vesalius.methods.progression.recipe import PRESETS, PictureDetailRecipe
from vesalius.methods.progression.trajectories import along
from vesalius.phantoms.cohorts.visits import write_knees
from vesalius.scans.input_error import InputError
from vesalius.scans.pictures import write_picture
from vesalius.scans.visit_layouts import read_visits
from vesalius.scans.visits import Visits
from vesalius.training.fit import fit, prepare
from vesalius.training.run import Run
from vesalius.training.visits_fingerprint import VisitsFingerprint

SMALLEST = PRESETS["smallest"]


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Visits:
    folder = tmp_path_factory.mktemp("knees")
    write_knees(folder, 20, 0, 16, (0.0, 4.0, 8.0))
    return read_visits(folder, 16)


@pytest.fixture(scope="module")
def run(visits: Visits, tmp_path_factory: pytest.TempPathFactory) -> Run[VisitsFingerprint]:
    folder = tmp_path_factory.mktemp("run") / "run"
    return fit(prepare(Progression(), visits, SMALLEST), folder)


def test_a_run_foresees_pictures_and_readings_with_intervals(
    run: Run[VisitsFingerprint], visits: Visits
) -> None:
    forecaster = Forecaster.open(run.folder)
    rows = visits.first()[:4]
    images = visits.images[rows].astype(np.float32)
    owners = tuple(visits.patients[row] for row in rows)
    styles = forecaster.projected(images).styles
    found = forecaster.futures(images, styles, (0.0, 4.0, 8.0), owners, neighbours=5)
    for one in (found.usual, found.fast):
        assert one.pictures.shape == (4, 3, 1, 16, 16) and one.readings.shape == (4, 3, 2)
        assert np.allclose(one.pictures[:, 0], images, atol=2e-3)  # the patient's own
    assert (found.low <= found.high).all()
    assert np.allclose(found.low[:, 0], found.high[:, 0], atol=1e-4)  # nothing moves in no time
    within = (found.low - 1e-5 <= found.usual.readings) & (
        found.usual.readings <= found.high + 1e-5
    )
    assert within.mean() > 0.8  # the most typical of five is rarely an extreme one
    before = read_attributes(forecaster.model.meter, images)
    assert np.allclose(found.usual.readings[:, 0], before, atol=0.01)
    shown = read_attributes(forecaster.model.meter, found.usual.pictures[:, 2])
    assert np.allclose(found.usual.readings[:, 2], shown, atol=1e-4)
    single = forecaster.futures(images, styles, (4.0,), owners, neighbours=1)
    assert np.isnan(single.low).all()


def test_the_typical_fate_is_a_neighbours_own_and_risk_is_told_over_all(
    run: Run[VisitsFingerprint], visits: Visits
) -> None:
    forecaster = Forecaster.open(run.folder)
    styles = forecaster.projected(visits.images[:3].astype(np.float32)).styles
    then = along(styles, 8.0, forecaster.trajectories, np.tile(np.arange(5), (3, 1)))

    def brightness(pictures: np.ndarray) -> np.ndarray:
        mean: np.ndarray = pictures.mean(axis=(1, 2, 3))[:, None]
        return mean

    outcomes = forecaster.outcomes(styles, then, brightness)
    assert (
        outcomes.styles.shape[:2]
        == outcomes.change.shape[:2]
        == outcomes.grades.shape[:2]
        == (3, 5)
    )
    alone = forecaster.outcomes(styles, then[:, 3:4], brightness)
    assert np.allclose(alone.grades[:, 0], outcomes.grades[:, 3], atol=1e-5)
    shown = outcomes.of_typical(outcomes.styles)
    assert all((shown[n] == outcomes.styles[n]).all(axis=1).any() for n in range(3))
    assert (alone.of_typical(alone.styles) == then[:, 3]).all()


def test_the_second_generator_draws_each_alike_in_any_company(
    run: Run[VisitsFingerprint], visits: Visits
) -> None:
    forecaster = Forecaster.open(run.folder)
    images = visits.images[:3].astype(np.float32)
    together = forecaster.diffused(images, (1.0, 4.0, 8.0))
    assert np.allclose(forecaster.diffused(images[:1], (1.0,)), together[:1], atol=1e-5)
    assert not np.allclose(forecaster.diffused(images[:1], (1.0,), seed=1), together[:1], atol=1e-3)
    assert together.shape == images.shape and 0 <= together.min() <= together.max() <= 1


def test_the_choice_tells_what_was_tried(run: Run[VisitsFingerprint]) -> None:
    lines = (run.folder / "choice.csv").read_text().splitlines()
    assert lines[1].startswith(NO_CHANGE) and len(lines) == 2 + 3 * len(SMALLEST.neighbours)
    assert "Not for diagnosis" in (run.folder / "card.md").read_text()
    assert not run.state.exists()


def test_a_killed_fit_goes_on_to_the_same_run(
    run: Run[VisitsFingerprint], visits: Visits, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def killing(what: str, done: int, total: int) -> None:
        if what == "fitting encoder" and done == 2:
            raise Killed

    ready = prepare(Progression(), visits, SMALLEST)
    with pytest.raises(Killed):
        fit(ready, tmp_path / "run", killing)
    fit(ready, tmp_path / "run")
    predicted = Forecaster.open(run.folder).model.parts
    for name in (*predicted, "courses"):
        file = f"{name}.safetensors"
        assert (tmp_path / "run" / file).read_bytes() == (run.folder / file).read_bytes(), name


def test_what_cannot_be_learnt_is_refused_beforehand(visits: Visits) -> None:
    with pytest.raises(InputError, match="generator's 64"):
        prepare(Progression(), visits, PRESETS["demo"])
    unknown = SMALLEST.changed(attributes=("cartilage_mm",))
    with pytest.raises(InputError, match="cartilage_mm"):
        prepare(Progression(), visits, unknown)
    with pytest.raises(InputError, match="came again"):
        prepare(Progression(), visits.taken(visits.first()), SMALLEST)


def test_crops_with_grades_alone_are_read_by_grade(tmp_path: Path) -> None:
    rng, rows = np.random.default_rng(0), ["img name,kls"]
    for patient in range(20):
        for year in (2004, 2008):
            name = f"{9000000 + patient}_0216{patient:04d}_{year}0629_r.png"
            write_picture(rng.random((16, 16)), tmp_path / name)
            rows.append(f"{name},{(patient + year // 4) % 5}")
    (tmp_path / "grades.csv").write_text("\n".join(rows))
    assert prepare(Progression(), tmp_path, SMALLEST).data.recipe.attributes == ("kl_grade",)
    wanted = SMALLEST.changed(attributes=("joint_space_mm_medial",))
    with pytest.raises(InputError, match="joint_space_mm_medial: is known of 0 pictures"):
        prepare(Progression(), tmp_path, wanted)


@pytest.mark.parametrize("years", [(), (-1.0,), (0.0, 2.0), (2.0, 8.5), (float("nan"),)])
def test_times_that_no_course_reaches_are_refused(
    run: Run[VisitsFingerprint], years: tuple[float, ...]
) -> None:
    with pytest.raises(InputError, match="ask for above 0 to 8"):
        Forecaster.open(run.folder).require_years(years)


def test_pictures_of_another_shape_are_refused(run: Run[VisitsFingerprint]) -> None:
    with pytest.raises(InputError, match="bring them to the shape of the run"):
        Forecaster.open(run.folder).projected(np.zeros((1, 1, 32, 32), np.float32))


def test_new_pictures_are_alike_in_any_number_and_differ_by_seed(
    run: Run[VisitsFingerprint], visits: Visits, tmp_path: Path
) -> None:
    forecaster = Forecaster.open(run.folder)
    made = forecaster.new_pictures(3, seed=2)
    assert made.shape == (3, *visits.images.shape[1:]) and 0 <= made.min() <= made.max() <= 1
    assert np.allclose(forecaster.new_pictures(2, seed=2), made[:2], atol=1e-5)
    assert not np.allclose(forecaster.new_pictures(3, seed=3), made, atol=1e-3)
    detail = forecaster.model.detail
    assert detail is not None
    learnt = forecaster.projected(visits.images.astype(np.float32)).styles
    assert np.allclose(detail.styles.mean.numpy(), learnt.mean(axis=0), atol=0.5)
    bare = fit(prepare(Progression(), visits, SMALLEST.changed(detail=None)), tmp_path / "bare")
    with pytest.raises(InputError, match="has no fine stage; fit a run with detail"):
        Forecaster.open(bare.folder).new_pictures(1)


def test_the_fine_stage_learns_what_is_missing_where_it_can_be_seen() -> None:
    rng = np.random.default_rng(0)
    smooth = np.repeat(rng.random((24, 1, 1, 16)), 16, axis=2).astype(np.float32) * 0.4 + 0.3
    lacking = 0.2 * np.sign(smooth - 0.5)  # follows from the generated picture
    detail = PictureDetail(1, 16, 4, PictureDetailRecipe(widths=(16, 16)))
    detail.learn_scale(smooth + lacking, smooth, rng.random((24, 4)))
    objective = PictureDetailObjective(detail, smooth + lacking, smooth)
    optimizer, chance = torch.optim.Adam(detail.parameters(), 3e-3), torch.Generator()
    for step in range(120):
        rows = torch.randint(24, (8,), generator=chance.manual_seed(step))
        loss = objective(objective.batch(rows, chance), chance)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    shown = with_detail(detail, smooth[:6], steps=8, seed=1)
    before, after = (np.abs(one - (smooth + lacking)[:6]).mean() for one in (smooth[:6], shown))
    assert before > 0.19 and after < 0.5 * before
