"""What earlier versions wrote is read by this one: runs, cohorts and studies that are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vesalius.methods import method_of
from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.recipe import GuidedRecipe
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.pretraining.pipeline import pretrained_segmenter
from vesalius.methods.progression.prognosis import ProgressionPipeline
from vesalius.methods.segmentation.pipeline import SegmentationPipeline
from vesalius.methods.volumes.pipeline import VolumesPipeline
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.readers.answers.store import Store
from vesalius.readers.results.readings import readings_of
from vesalius.readers.study import Study
from vesalius.scans.check import check_cohort
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.scans.visit_layouts import read_visits
from vesalius.training.run import Run

FORMS = sorted((Path(__file__).parent / "kept").glob("form-*"))


def _guided(run: Path) -> None:
    pipeline = GuidedPipeline(Run.open(run, GuidedRecipe))
    label_map = pipeline.label_map([20.0], 1)
    assert np.isfinite(pipeline.image(label_map, 1).channels[0].voxels).all()


def _inpainting(run: Path) -> None:
    inpipeline = InpaintingPipeline(Run.open(run, InpaintingRecipe))
    assert inpipeline.training_range.pathology("herniation").size_at(0.5) > 0


def _volumes(run: Path) -> None:
    scan = VolumesPipeline(Run.open(run, VolumesRecipe)).volume(1)
    assert np.isfinite(scan.channels[0].voxels).all()


def _segmenter(run: Path) -> None:
    cohort = Cohort.open(run.parent / "brains")
    found = SegmentationPipeline.open(run).segment(cohort.read_images(cohort.cases[0]))
    assert found.shape == cohort.read(cohort.cases[0]).label_map.shape


def _pretraining(run: Path) -> None:
    network, _, _ = pretrained_segmenter(run)
    assert sum(weight.numel() for weight in network.parameters()) > 0


def _classifier(run: Path) -> None:
    trained = ClassificationPipeline.open(run)
    found = trained.probabilities(np.zeros((1, 1, *trained.run.fingerprint.shape), np.float32))
    assert ((found > 0) & (found < 1)).all()


def _progression(run: Path) -> None:
    prognosis = ProgressionPipeline.open(run)
    visits = read_visits(run.parent / "knees", prognosis.forecaster.fingerprint.shape[0])
    rows = visits.first()[:1]
    found = prognosis.of(visits.images[rows], (1.0,), [visits.patients[row] for row in rows])
    assert np.isfinite(found.futures.usual.pictures).all()


USES: dict[str, Callable[[Path], None]] = {
    "guided": _guided, "inpainting": _inpainting, "volumes": _volumes, "segmenter": _segmenter,
    "pretraining": _pretraining, "classifier": _classifier, "progression": _progression,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@pytest.mark.parametrize("method", USES)
def test_a_run_of_an_earlier_version_is_used(form: Path, method: str) -> None:
    USES[method](form / method)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_cohorts_of_an_earlier_version_are_sound(form: Path) -> None:
    for name in ("brains", "spines"):
        found = check_cohort(Cohort.open(form / name))
        assert not found.faults and len(found.sound) >= 2
    generated = Cohort.open(form / "generated", labelled=False)
    assert all(case.provenance()["seed"] >= 0 for case in generated.cases)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_study_of_an_earlier_version_keeps_its_answers(form: Path, tmp_path: Path) -> None:
    shutil.copytree(form / "study", tmp_path / "study")
    study = Study.open(tmp_path / "study")
    answers = Store.at(study).every()
    assert len(answers) == 3 and len(readings_of(study, answers)) == 3


@pytest.mark.parametrize("method", USES)
def test_a_run_from_before_files_had_numbers_is_used(method: str, tmp_path: Path) -> None:
    for name in (method, "brains", "knees"):
        shutil.copytree(FORMS[0] / name, tmp_path / name)
    for path in tmp_path.glob(f"{method}/**/*.json"):
        content = json.loads(path.read_text())
        path.write_text(
            json.dumps({k: v for k, v in content.items() if k not in ("format", "seal")})
        )
    USES[method](tmp_path / method)


def test_a_run_of_a_later_version_and_one_that_was_edited_are_refused(tmp_path: Path) -> None:
    shutil.copytree(FORMS[0] / "volumes", tmp_path / "run")
    path = tmp_path / "run/recipe.json"
    whole = json.loads(path.read_text())
    for change, match in (
        ({"format": 99}, "has form 99, this version knows 1; update vesalius"),
        ({"seed": 5}, "was changed since it was written"),
    ):
        path.write_text(json.dumps(whole | change))
        with pytest.raises(InputError, match=match):
            method_of(tmp_path / "run")
