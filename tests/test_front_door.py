"""The front door in Python: the notebook example, on phantoms and on somebody else's cohort."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from tests.conftest import blobs
from vesalius.api.phantoms import finding_counts
from vesalius.cli import main
from vesalius.phantoms.cohorts.organs import write_brains

OVERHEAD_S = 0.3


def phantoms(folder: Path) -> tuple[Path, str, dict[str, tuple[float, float]]]:
    """Phantom brains, unseen ones, and what is missing among them."""
    write_brains(folder / "my-scans", 14, 3, 8.0)
    write_brains(folder / "unseen", 12, 4, 8.0, split="test")
    return folder, "ventricle_volume_ml", {"ventricle_volume_ml": (15.0, 40.0)}


def theirs(folder: Path) -> tuple[Path, str, dict[str, tuple[float, float]]]:
    """An nnU-Net folder without cases.csv: oblique LPS affines, 4 mm slices, labels of its own."""
    blobs(folder / "my-scans", 16, "LPS", 15.0, (2.0, 2.0, 4.0))
    blobs(folder / "unseen", 12, "LPS", 15.0, (2.0, 2.0, 4.0), seed=1)
    return folder, "tumour_volume_ml", {"tumour_volume_ml": (0.6, 6.0)}


@pytest.mark.parametrize("made_by", [phantoms, theirs])
def test_the_notebook_example_runs_from_cohort_to_proof(made_by, tmp_path: Path) -> None:
    folder, attribute, ranges = made_by(tmp_path)
    cohort = vs.Cohort.open(folder / "my-scans")
    run = vs.fit(
        "guided", cohort, out=folder / "run", preset="smallest", seed=0, attribute=[attribute]
    )
    model = vs.load(run)
    middle = float(np.mean(ranges[attribute]))
    case = model(**{attribute: middle}, seed=1, tolerance=0.5, tries=40)
    assert case.measured[attribute] == pytest.approx(middle, rel=0.5)
    assert case.provenance["request"] == {attribute: middle} and case.provenance["synthetic"]
    real = cohort.read(cohort.cases[0])
    assert case.image.orientation == real.channels[0].orientation
    assert case.image.same_geometry(case.label_map)
    assert attribute in case._repr_html_()
    case.save(folder / "out/case.nii.gz")
    names = sorted(path.name for path in (folder / "out").iterdir())
    assert names == ["case.json", "case.nii.gz", "case_labels.nii.gz"]

    made = vs.balance(model, cohort, ranges, out=folder / "more", count=3, tolerance=0.5, tries=40)
    assert made.gated and 1 <= len(made.cohort.cases) <= 3
    assert made.figures["acceptance"].n == len(made.draws) and "draws" in made._repr_html_()
    page = made.report(folder / "made.html").read_text(encoding="utf-8")
    assert "middle slices of generated cases" in page and "kept/mae_ml" in page
    assert ("fitted on phantoms" in page) == (made_by is phantoms)

    verdict = vs.audit(cohort, made, holdout=folder / "unseen")
    assert "memorisation/copies" in verdict.figures and "withhold" in verdict._repr_html_()
    assert "similarity" in verdict.report(folder / "audit/report.html").read_text()

    proof = vs.prove(
        cohort, made, test=folder / "unseen", out=folder / "proof", attribute=attribute,
        preset="smallest",
    )  # fmt: skip
    page = proof.report(folder / "page/report.html")
    assert "Does it help?" in page.read_text()
    assert "utility/real/dice" in proof.figures and "real" in proof._repr_html_()


def test_what_the_command_writes_is_what_the_function_writes(tmp_path: Path, small_run) -> None:
    requested = ["--attribute", "ventricle_volume_ml=20:30", "-n", "2", "--tolerance", "0.5"]
    words = ["generate", str(small_run.folder), *requested, "--tries", "30"]
    main([*words, "--out", str(tmp_path / "command")])
    ranges = {"ventricle_volume_ml": (20.0, 30.0)}
    vs.generate(
        small_run.folder, ranges, count=2, tolerance=0.5, tries=30, out=tmp_path / "function"
    )
    for path in sorted((tmp_path / "command").rglob("*.nii.gz")):
        other = tmp_path / "function" / path.relative_to(tmp_path / "command")
        assert path.read_bytes() == other.read_bytes()


def test_a_setting_of_another_method_is_refused(small_run, tmp_path: Path) -> None:
    ranges = {"ventricle_volume_ml": (20.0, 30.0)}
    with pytest.raises(vs.InputError, match="--steps: is no setting of this run's method"):
        vs.generate(small_run, ranges, out=tmp_path / "out", steps=3)
    with pytest.raises(vs.InputError, match="is a run of guided"):
        vs.inpaint(small_run, tmp_path / "x.nii.gz", "herniation", "L4-L5", out=tmp_path / "out")


def test_what_is_no_run_of_the_method_is_refused_before_its_networks_are_loaded(
    small_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vesalius.api.using.loaded", lambda model: pytest.fail("was loaded"))
    with pytest.raises(vs.InputError, match="is a run of guided; point at a run of segmentation"):
        vs.segment(small_run, tmp_path / "x.nii.gz", out=tmp_path / "out")
    with pytest.raises(vs.InputError, match="int: is no run and no pipeline"):
        vs.generate(3, out=tmp_path / "out")


def test_a_cohort_may_stand_wherever_a_path_does_and_text_for_a_path(tmp_path: Path) -> None:
    cohort = write_brains(tmp_path / "scans", 14, 3, 8.0)
    assert Path(cohort) == cohort.folder
    with pytest.raises(vs.InputError, match="no column of 0 and 1"):
        vs.plan("classification", cohort)
    with pytest.raises(vs.InputError, match="no-run: "):
        vs.plan("segmentation", cohort, preset="smallest", pretrained=str(tmp_path / "no-run"))


def test_a_cohort_is_checked_measured_and_split(tmp_path: Path) -> None:
    blobs(tmp_path / "scans", 10, "LPS", 15.0, (2.0, 2.0, 4.0))
    measured = vs.measure(tmp_path / "scans", ["tumour_volume_ml"])
    assert len(measured.values["tumour_volume_ml"]) == 10 and not measured.faults
    found = vs.check(tmp_path / "scans", ["organ_volume_ml=organ+tumour"])
    assert len(found.sound) == 10 and "tumour_volume_ml" in found._repr_html_()
    parts = vs.split(tmp_path / "scans", 0.6, 0.2, 0.2, seed=0)
    assert {name: len(cases) for name, cases in parts.items()} == {"train": 6, "val": 2, "test": 2}
    assert len(vs.Cohort.open(tmp_path / "scans").of_split("test")) == 2
    with pytest.raises(vs.InputError, match="is no attribute of labels"):
        vs.measure(tmp_path / "scans", ["spleen_volume_ml"])


def test_the_import_is_quick_and_loads_no_torch() -> None:
    program = (
        "import sys, time; started = time.perf_counter(); import vesalius;"
        "print(time.perf_counter() - started, 'torch' in sys.modules, len(vesalius.__all__))"
    )
    took = []
    for _ in range(3):
        out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                             check=True).stdout.split()  # fmt: skip
        assert out[1] == "False" and int(out[2]) > 12
        took.append(float(out[0]))
    assert min(took) < OVERHEAD_S


def test_the_command_line_and_a_look_at_a_cohort_load_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from vesalius.cli import main; import vesalius as vs\n"
        "for words in (['--help'], ['cohort', '--help'], ['phantom', '--help']):\n"
        "    try: main(words)\n"
        "    except SystemExit: pass\n"
        "try: vs.check('no-such-folder')\n"
        "except vs.InputError: print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                         check=True).stdout  # fmt: skip
    assert out.split()[-1] == "False"


def test_what_a_phantom_or_a_measurement_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(vs.InputError, match="side: is no setting of phantoms of kind brain"):
        vs.phantom("brain", tmp_path / "out", side=3)
    cohort = vs.phantom("spine", tmp_path / "spines", 2, spacing_mm=(8.0, 2.5, 2.5), workers=1,
                        prevalence={"herniation": 0.0, "stenosis": 0.0})  # fmt: skip
    assert finding_counts(cohort) == {"herniation": 0, "stenosis": 0}
    with pytest.raises(vs.InputError, match="--attribute: is missing"):
        vs.measure(cohort, [])


def test_every_name_of_the_front_door_is_there_and_documented() -> None:
    for name in vs.__all__:
        assert getattr(vs, name).__doc__, name
    with pytest.raises(AttributeError, match="alchemy"):
        vs.alchemy  # noqa: B018
