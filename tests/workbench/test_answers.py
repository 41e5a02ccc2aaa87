"""What the workbench answers: a cohort as its tables say it, a run as it would generate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from fastapi.testclient import TestClient

import vesalius as vs
from vesalius.evidence.copies import training_cases
from vesalius.evidence.realism import realism_figures
from vesalius.evidence.two_sample import FIT
from vesalius.phantoms.cohorts.organs import write_brains
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.input_error import InputError
from vesalius.scans.output import output_folder
from vesalius.training.run import Run
from vesalius.workbench.app import Workbench, create_app
from vesalius.workbench.nearest import TrainingCases
from vesalius.workbench.opened import Opened
from vesalius.workbench.running import made_of

TOKEN = "t" * 32
HEAD = {"Authorization": f"Bearer {TOKEN}"}


def opened(tmp_path: Path, *paths: Path) -> tuple[Workbench, TestClient]:
    viewer = tmp_path / "niivue.js"
    viewer.write_text("// viewer")
    bench = Workbench(Opened.of(paths), tmp_path / "bench", viewer, TOKEN)
    return bench, TestClient(create_app(bench), headers=HEAD)


@pytest.fixture
def guided(
    brains: Cohort, small_cohort: Cohort, small_run: Run, tmp_path: Path
) -> Iterator[TestClient]:  # fmt: skip
    bench, client = opened(tmp_path, brains.folder, small_cohort.folder, small_run.folder)
    bench.jobs.start()
    yield client
    bench.jobs.stop()


def done(client: TestClient, question: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
    number = client.post("/api/jobs", json=question).json()["number"]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        job = next(one for one in client.get("/api/jobs").json() if one["number"] == number)
        if job["state"] not in ("waiting", "running"):
            return dict(job)
        time.sleep(0.05)
    raise AssertionError(job)


def test_nobody_without_the_link_sees_anything(guided: TestClient) -> None:
    for path in ("/api/opened", "/api/cohorts/0", "/api/cohorts/0/cases/0/images/0", "/api/jobs"):
        assert guided.get(path, headers={"Authorization": "Bearer guess"}).status_code == 401
        assert guided.get(path, headers={"Authorization": TOKEN}).status_code == 401
    assert (
        guided.post("/api/jobs", json={"run": 0}, headers={"Authorization": ""}).status_code == 401
    )
    answer = guided.get("/")
    assert answer.status_code == 200 and "default-src 'none'" in answer.headers[
        "content-security-policy"
    ]  # fmt: skip


def test_two_cohorts_are_measured_against_each_other(
    guided: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = partial(realism_figures, recipe=FIT.changed(steps=2))
    monkeypatch.setattr("vesalius.workbench.comparing.realism_figures", quick)
    other = write_brains(tmp_path / "brains", 18, seed=3, spacing_mm=8.0)
    with CohortWriter(tmp_path / "made", other.description) as writer:
        for number, case in enumerate(training_cases(other)[:10]):
            scan, said = other.read(case), {"synthetic": True}
            writer.add(f"made_{number}", scan, f"made {number}", {}, provenance=said)
        writer.finish()
    _, client = opened(tmp_path, other.folder, tmp_path / "made")
    end = time.monotonic() + 120
    while "waiting" in (found := client.get("/api/cohorts/0/beside/1").json()):
        assert time.monotonic() < end
        time.sleep(0.1)
    names = [row["name"] for row in found["rows"]]
    assert names[:2] == ["frechet_ratio", "two_sample_auc"]
    assert found["rows"][1]["reference"]["size"] == "n = 9 subjects"
    assert len(found["copies"]) == 10 and "withhold made_0: copies" in found["copies"][0]
    refused = guided.get("/api/cohorts/1/beside/0")
    assert refused.status_code == 422 and "16 is the least" in refused.json()["fault"]


def test_a_cohort_is_shown_as_its_tables_say(guided: TestClient, brains: Cohort) -> None:
    shown = guided.get("/api/cohorts/0").json()
    assert [one["name"] for one in shown["cases"]] == [case.name for case in brains.cases]
    (histogram,) = shown["histograms"]
    assert histogram["attribute"] == "ventricle_volume_ml" and sum(histogram["counts"]) == 18
    picture = guided.get("/api/cohorts/0/cases/2/small.png")
    assert picture.content.startswith(b"\x89PNG") and picture.status_code == 200
    image = guided.get("/api/cohorts/0/cases/2/images/0").content
    kept = nib.load(brains.cases[2].images[0])
    assert np.array_equal(nib.Nifti1Image.from_bytes(image).get_fdata(), kept.get_fdata())
    assert guided.get("/api/cohorts/0/cases/99/labels").status_code == 404
    assert guided.get("/api/cohorts/7").status_code == 404


def test_faults_come_with_their_remedy(brains: Cohort, tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(brains.folder, tmp_path / "cohort")
    (folder / "labelsTr" / f"{brains.cases[0].name}.nii.gz").unlink()
    (folder / "imagesTr" / "stray_0003.nii.gz").write_bytes(b"")
    _, client = opened(tmp_path, folder)
    faults = client.get("/api/cohorts/0").json()["faults"]
    assert [set(one) for one in faults] == [{"file", "fault", "remedy"}]
    assert "stray_0003" in faults[0]["file"] and faults[0]["remedy"]


def test_a_preview_is_the_first_draw(guided: TestClient, small_run: Run) -> None:
    question = {"run": 0, "target": {"ventricle_volume_ml": 25.0}, "seed": 4}
    shown = guided.post("/api/preview", json=question).json()
    assert all(one.startswith("data:image/png") for one in shown["planes"]["image"])
    assert len(shown["planes"]["labels"]) == 3
    job = done(guided, question | {"tolerance": 0.9})
    assert job["tries"] == 1 and job["measured"] == shown["measured"]


def test_a_case_is_made_kept_once_and_carries_its_provenance(
    guided: TestClient, small_run: Run, tmp_path: Path
) -> None:
    question = {
        "run": 0, "target": {"ventricle_volume_ml": 25.0}, "seed": 9, "tolerance": 0.9
    }  # fmt: skip
    number = done(guided, question)["number"]
    for _ in range(2):
        assert guided.post(f"/api/jobs/{number}/keep").json()["kept"] == "kept_00001"
    kept = Cohort.open(tmp_path / "bench/kept" / small_run.folder.name)
    (case,) = kept.cases
    provenance = case.provenance()
    assert provenance["request"] == {"ventricle_volume_ml": 25.0} and provenance["seed"] == 9
    assert provenance["run"] == small_run.name and provenance["copy_gate"] is True
    shown = nib.Nifti1Image.from_bytes(guided.get(f"/api/jobs/{number}/image").content)
    assert np.array_equal(shown.get_fdata(), nib.load(case.images[0]).get_fdata())
    assert guided.get(f"/api/jobs/{number}/labels").status_code == 200


def test_what_cannot_be_asked_is_refused_with_its_remedy(guided: TestClient) -> None:
    far = guided.post("/api/preview", json={"run": 0, "target": {"ventricle_volume_ml": 9000.0}})
    assert far.status_code == 422 and {"file", "fault", "remedy"} <= set(far.json())
    job = done(guided, {"run": 0, "target": {"ventricle_volume_ml": 9000.0}})
    assert job["state"] == "failed" and "range" in job["message"]
    assert guided.post("/api/jobs", json={"run": 0, "size_mm": "NaN"}).status_code == 422
    assert guided.post("/api/jobs/99/keep").status_code == 422


def test_the_nearest_training_case_is_that_of_the_audit(guided: TestClient, brains: Cohort) -> None:
    path = "/api/cohorts/1/cases/0/nearest"
    found = guided.get(path).json()
    while "waiting" in found:
        time.sleep(0.05)
        found = guided.get(path).json()
    assert found["cohort"] == 0 and brains.cases[found["case"]].name == found["name"]
    assert -1 <= found["similarity"] <= 1


def test_a_finding_is_set_in_and_its_difference_lies_in_the_map(
    spines: Cohort, inpainting_run: Run, tmp_path: Path
) -> None:
    bench, client = opened(tmp_path, spines.folder, inpainting_run.folder)
    bench.jobs.start()
    (finding, *_) = client.get("/api/runs/0").json()["findings"]
    healthy = 0
    tried = [
        done(client, {
            "run": 0, "cohort": 0, "case": healthy, "pathology": finding["name"], "level": level,
            "size_mm": finding["middle"], "tolerance": 99,
        }) for level in finding["levels"]
    ]  # fmt: skip
    bench.jobs.stop()
    made = [one for one in tried if one["state"] == "done"]
    assert made, [(one["state"], one["message"]) for one in tried]
    number = made[0]["number"]
    change = nib.Nifti1Image.from_bytes(client.get(f"/api/jobs/{number}/difference").content)
    share = float((change.get_fdata() != 0).mean())
    assert 0 < share < 0.5
    assert client.post(f"/api/jobs/{number}/keep").status_code == 200
    kept = Cohort.open(tmp_path / "bench/kept" / inpainting_run.folder.name)
    assert kept.cases[0].provenance()["parent"] == spines.cases[healthy].name
    assert (kept.folder / "landmarks.csv").is_file()


def test_a_knee_is_shown_as_a_film_with_what_is_read_on_it(tmp_path: Path) -> None:
    knees = vs.phantom("knee", tmp_path / "knees", 24, side=32)
    run = vs.fit("progression", knees, tmp_path / "run", preset="smallest")
    bench, client = opened(tmp_path, knees.folder, run.folder)
    bench.jobs.start()
    assert client.get("/api/runs/0").json()["years"] == [1.0, 2.0, 4.0, 8.0]
    job = done(client, {"run": 0, "cohort": 0, "case": 0}, 120)
    bench.jobs.stop()
    assert job["state"] == "done", job
    film = client.get(f"/api/jobs/{job['number']}/film")
    assert film.content[:4] == b"GIF8"
    readings = client.get(f"/api/jobs/{job['number']}/readings").json()
    assert len(readings) >= 4 and any("joint_space" in name for name in readings[0])
    assert client.post(f"/api/jobs/{job['number']}/keep").status_code == 422


def test_a_path_that_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a cohort nor a run"):
        Opened.of([tmp_path])


def test_a_queue_belongs_to_the_paths_that_it_was_started_on(tmp_path: Path) -> None:
    first, second = tmp_path / "scans", tmp_path / "more"
    with output_folder(tmp_path / "bench", made_of([first])):
        pass
    with output_folder(tmp_path / "bench", made_of([first])):
        pass
    with pytest.raises(InputError, match="choose a new"):
        with output_folder(tmp_path / "bench", made_of([first, second])):
            pass


def test_copies_are_looked_for_among_training_cases_that_are_read_once(brains: Cohort) -> None:
    training, reads = TrainingCases(brains), []
    first = training.search(True, lambda *step: reads.append(step))
    read = len(reads)
    assert training.search(True, lambda *step: reads.append(step)) is first
    assert read and len(reads) == read
    with pytest.raises(InputError, match="was not opened"):
        TrainingCases(None).search(True, lambda *step: None)
