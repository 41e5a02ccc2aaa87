"""Nothing of the user's is lost: inputs, tables and folders of others are not written over."""

from __future__ import annotations

import contextlib
import csv
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import vesalius as vs
from vesalius.anatomy.attributes import case_values
from vesalius.cli import main
from vesalius.experiments.stages import Stages
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.input_error import InputError
from vesalius.scans.output import output_folder, require_apart, sole_writer
from vesalius.training.run import Run

KEPT = Path(__file__).parents[1] / "kept/form-1"


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A cohort that is the user's own."""
    shutil.copytree(KEPT / "brains", tmp_path / "real")
    description = (tmp_path / "real/dataset.json").read_text().replace('"phantom"', '""', 1)
    (tmp_path / "real/dataset.json").write_text(description)
    return tmp_path / "real"


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command says that is refused; its code is 2."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.startswith("refused"), said
    return said


@pytest.mark.parametrize("place", ["{real}", "{real}/labels", "{parent}", "{real}/imagesTr/.."])
def test_segment_never_writes_into_its_input(
    real: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    before = bytes_of(real)
    out = place.format(real=real, parent=real.parent)
    said = refused(capsys, "segment", KEPT / "segmenter", real, "--out", out)
    assert "the input" in said and bytes_of(real) == before


def test_segment_never_writes_over_label_maps_of_somebody_else(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(real / "labelsTr", tmp_path / "drawn-by-hand")
    before = bytes_of(tmp_path / "drawn-by-hand")
    said = refused(capsys, "segment", KEPT / "segmenter", real, "--out", tmp_path / "drawn-by-hand")
    assert "files of something else" in said
    assert bytes_of(tmp_path / "drawn-by-hand") == before
    out = tmp_path / "labels"
    for _ in range(2):
        main(["segment", str(KEPT / "segmenter"), str(real), "--out", str(out)])
    assert len(list(out.glob("*.nii.gz"))) == 4


def test_split_and_measure_keep_every_other_cell_to_the_letter(
    real: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = real / "cases.csv"
    names = [case.name for case in Cohort.open(real).cases]
    odd = "knee, left"
    for place in ("imagesTr", "labelsTr"):
        for path in (real / place).glob(f"{names[1]}*"):
            path.rename(path.with_name(path.name.replace(names[1], odd)))
    rows = [
        ["scan_date", "case", "subject", "visit", "split", "ventricle_volume_ml", "note_ml"],
        ["20070629", names[0], "Doe, John", "v 1", "", "1.23456789012345", ""],
        ["20070630", odd, 'said "no"', "", "test", "2.0", "0.1000"],
        ["20070701", names[2], "ünal", "", "", " 3", "7e-3"],
        ["20070702", names[3], "line\nend", "", "", "4", ""],
    ]
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    main(["cohort", "split", str(real), "--train", "0.5", "--val", "0.25", "--test", "0.25"])
    main(["cohort", "measure", str(real), "--attribute", "lateral_ventricles_volume_ml"])
    with table.open(newline="") as stream:
        head, *after = list(csv.reader(stream))
    assert head == [*rows[0], "lateral_ventricles_volume_ml"]
    place = head.index("split")
    for row, was in zip(after, rows[1:], strict=True):
        assert row[place] in ("train", "val", "test")
        assert [*row[:place], *row[place + 1 : -1]] == [*was[:place], *was[place + 1 :]]
        assert float(row[-1]) > 0
    assert {case.name for case in Cohort.open(real).cases} == {names[0], odd, *names[2:]}
    assert Cohort.open(real).cases[0].subject == "Doe, John"


def test_measure_keeps_what_dataset_json_says_beside(real: Path) -> None:
    path = real / "dataset.json"
    path.write_text(path.read_text().replace("{", '{"licence": "CC-BY", "reference": "x",', 1))
    main(["cohort", "measure", str(real), "--attribute", "both_volume_ml=grey_matter+white_matter"])
    said = path.read_text()
    assert '"licence": "CC-BY"' in said and "both_volume_ml" in said


def test_measure_keeps_the_rows_of_faulty_cases(real: Path) -> None:
    lines = (real / "cases.csv").read_text().splitlines()
    lines[1] = ",".join([*lines[1].split(",")[:-1], "large"])
    (real / "cases.csv").write_text("\n".join(lines) + "\n")
    main(["cohort", "measure", str(real), "--attribute", "lateral_ventricles_volume_ml"])
    assert (real / "cases.csv").read_text().splitlines()[1] == lines[1] + ","


def test_what_a_cohort_lacks_is_shown_and_nothing_written(
    brains: Cohort, small_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = vs.lacking(small_run.folder, brains, {"ventricle_volume_ml": (10, 40)})
    main(["balance", str(brains.folder), "--run", str(small_run.folder), "--out",
          str(tmp_path / "more"), "--attribute", "ventricle_volume_ml=10:40",
          "--dry-run"])  # fmt: skip
    said = capsys.readouterr().out
    assert f"{len(wanted)} cases would be generated" in said and "ventricle_volume_ml" in said
    assert all(10 <= one["ventricle_volume_ml"] <= 40 for one in wanted)
    assert not (tmp_path / "more").exists()


def test_what_would_be_generated_is_shown_and_nothing_written(
    small_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", str(small_run.folder), "--out", str(tmp_path / "more"), "-n", "5"]
    main([*words, "--attribute", "ventricle_volume_ml=15:35", "--dry-run"])
    said = capsys.readouterr().out
    assert "5 cases would be generated" in said and "ventricle_volume_ml" in said
    wanted = vs.requested(small_run.folder, {"ventricle_volume_ml": (15, 35)}, count=5)
    assert len(wanted) == 5 and all(15 <= one["ventricle_volume_ml"] <= 35 for one in wanted)
    for asked in (["--attribute", "ventricle_volume_ml=15:3500"], []):
        with pytest.raises(SystemExit):
            main([*words, *asked, "--dry-run"])
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize("command", ["generate", "balance", "phantom"])
def test_a_real_cohort_never_becomes_a_synthetic_one(
    real: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    before = bytes_of(real)
    words = {
        "generate": ("generate", KEPT / "volumes", "--out", real, "-n", "1"),
        "balance": ("balance", KEPT / "brains", "--run", KEPT / "guided", "--out", real,
                    "--attribute", "ventricle_volume_ml=10:40", "--tolerance", "0.9"),
        "phantom": ("phantom", "brain", real, "-n", "1"),
    }[command]  # fmt: skip
    said = refused(capsys, *words)
    assert "holds real scans" in said and bytes_of(real) == before
    if command == "balance":
        said = refused(capsys, *(real if word == KEPT / "brains" else word for word in words))
        assert "is the input" in said and bytes_of(real) == before


def test_phantoms_of_two_seeds_do_not_mix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["phantom", "knee", str(tmp_path / "knees"), "--side", "32", "--years", "0"]
    main([*words, "-n", "1"])
    before = bytes_of(tmp_path / "knees")
    assert "made with seed 0, not 1" in refused(capsys, *words, "-n", "2", "--seed", "1")
    assert "made with years 0, not 0,2" in refused(capsys, *words[:-1], "0,2", "-n", "2")
    assert bytes_of(tmp_path / "knees") == before
    main([*words, "-n", "2"])  # more of the same are added
    assert len(Cohort.open(tmp_path / "knees", labelled=False).cases) == 2


def test_classify_never_writes_over_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(KEPT / "knees", tmp_path / "knees")
    before = bytes_of(tmp_path / "knees")
    words = ("classify", KEPT / "classifier", tmp_path / "knees", "--out")
    assert "lies inside the input" in refused(capsys, *words, tmp_path / "knees/cases.csv")
    (tmp_path / "notes.csv").write_text("my own table\n")
    assert "holds something else" in refused(capsys, *words, tmp_path / "notes.csv")
    assert (tmp_path / "notes.csv").read_text() == "my own table\n"
    for _ in range(2):
        main([str(word) for word in (*words, tmp_path / "said.csv")])
    assert bytes_of(tmp_path / "knees") == before


def test_a_fit_writes_neither_into_its_cohort_nor_into_other_files(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("fit", "volumes", KEPT / "brains", "--preset", "smallest", "--out")
    assert "lies inside the input" in refused(capsys, "fit", "volumes", real, "--out", real / "run")
    assert "files that are no run" in refused(capsys, *words, real)
    (tmp_path / "project/state").mkdir(parents=True)
    (tmp_path / "project/state/thesis.txt").write_text("mine")
    assert "files that are no run" in refused(capsys, *words, tmp_path / "project")
    assert (tmp_path / "project/state/thesis.txt").read_text() == "mine"
    recipe = Run.open(KEPT / "volumes", VolumesRecipe)
    with pytest.raises(InputError, match="holds run"):
        Run.create(KEPT / "volumes", recipe.recipe.changed(seed=5), recipe.fingerprint)


def test_links_lead_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "scans/imagesTr").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "scans")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for out in ("link", "link/made", "scans/imagesTr/../made", "."):
        with pytest.raises(InputError, match="the input"):
            require_apart(tmp_path / out, tmp_path / "scans")
    with pytest.raises(InputError, match="links to themselves"):
        require_apart(tmp_path / "loop", tmp_path / "scans")
    require_apart(tmp_path / "scans-of-others", tmp_path / "scans", None)


def _hold(folder: str, ready: multiprocessing.synchronize.Event) -> None:
    with sole_writer(Path(folder)):
        ready.set()
        time.sleep(60)


def test_a_folder_has_one_writer_and_the_dead_give_it_up(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    holder = spawn.Process(target=_hold, args=(str(tmp_path), ready))
    holder.start()
    assert ready.wait(60)
    with pytest.raises(InputError, match=f"written to by process {holder.pid} on"):
        with sole_writer(tmp_path):
            pass
    assert holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with sole_writer(tmp_path):
        assert (tmp_path / ".writing.lock").exists()
    assert not (tmp_path / ".writing.lock").exists()


def test_of_processes_that_one_launcher_started_the_first_holds_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sole_writer(tmp_path, shared=True):
        for world, rank, shared, free in (
            ("2", "1", True, True), ("2", "0", True, False), ("1", "1", True, False),
            ("2", "1", False, False),
        ):  # fmt: skip
            monkeypatch.setenv("WORLD_SIZE", world)
            monkeypatch.setenv("RANK", rank)
            with contextlib.ExitStack() as stack:
                if not free:
                    stack.enter_context(pytest.raises(InputError, match="being written to"))
                stack.enter_context(sole_writer(tmp_path, shared))


def test_two_commands_on_one_output_leave_one_whole_cohort(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "vesalius", "phantom", "knee", str(tmp_path / "out"), "-n", "3",
             "--side", "32", "--workers", "1"]  # fmt: skip
    both = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate()[1] for one in both]
    codes = sorted(one.returncode for one in both)
    assert codes == [0, 0] or (codes == [0, 2] and "being written to by process" in "".join(said))
    assert len(Cohort.open(tmp_path / "out", labelled=False).cases) == 15
    assert '"numTraining": 15' in (tmp_path / "out/dataset.json").read_text()


def test_a_row_that_a_kill_cut_short_is_written_again(tmp_path: Path) -> None:
    cohort = Cohort.open(KEPT / "brains")
    scan = cohort.read(cohort.cases[0])
    with CohortWriter(tmp_path / "out", cohort.description, ["a_ml"]) as writer:
        writer.add("one", scan, "s", {"a_ml": 1.5})
        writer.add("two", scan, "s", {"a_ml": 123.5})
    table = tmp_path / "out/cases.csv"
    table.write_bytes(table.read_bytes()[:-3])  # `two,…,123` reads like a whole row
    with CohortWriter(tmp_path / "out", cohort.description, ["a_ml"]) as writer:
        assert writer.done == {"one"}
        writer.add("two", scan, "s", {"a_ml": 123.5})
        assert case_values(writer.finish(), "a_ml").tolist() == [1.5, 123.5]


def test_what_stands_in_a_folder_without_a_description_is_not_mixed_with(tmp_path: Path) -> None:
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "imagesTr/mine_0000.nii.gz").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"holds imagesTr, but no dataset\.json"):
        CohortWriter(tmp_path, Cohort.open(KEPT / "brains").description)


def test_another_description_or_making_is_refused(tmp_path: Path) -> None:
    description = Cohort.open(KEPT / "brains").description
    with CohortWriter(tmp_path, description, made={"command": "generate", "seed": 1}):
        pass
    from dataclasses import replace

    for other, match in (
        (replace(description, channels=("T2",)), "of other channels"),
        (replace(description, labels={"background": 0, "liver": 1}), "of other labels"),
        (replace(description, origin=""), "holds phantoms"),
    ):
        with pytest.raises(InputError, match=match):
            CohortWriter(tmp_path, other, made={"command": "generate", "seed": 1})
    with pytest.raises(InputError, match="made with seed 1, not 2"):
        CohortWriter(tmp_path, description, made={"command": "generate", "seed": 2})
    with pytest.raises(InputError, match="is the input"):
        CohortWriter(tmp_path, description, inputs=[tmp_path])


def test_an_output_folder_goes_on_with_its_own_making_alone(tmp_path: Path) -> None:
    out = tmp_path / "maps"
    for _ in range(2):
        with output_folder(out, {"command": "explain", "run": "ab"}, (tmp_path / "run",)) as folder:
            (folder / "a.png").write_bytes(b"x")
    with pytest.raises(InputError, match="made with run ab, not cd"):
        with output_folder(out, {"command": "explain", "run": "cd"}):
            pass
    with pytest.raises(InputError, match="lies inside the input"):
        with output_folder(out, {"command": "explain", "run": "ab"}, (tmp_path,)):
            pass


def test_a_run_killed_between_its_first_two_files_goes_on(tmp_path: Path) -> None:
    kept = Run.open(KEPT / "volumes", VolumesRecipe)
    Run.create(tmp_path / "run", kept.recipe, kept.fingerprint).release()
    (tmp_path / "run/fingerprint.json").unlink()
    Run.create(tmp_path / "run", kept.recipe, kept.fingerprint).release()
    (tmp_path / "run/fingerprint.json").unlink()
    with pytest.raises(InputError, match="another recipe"):
        Run.create(tmp_path / "run", kept.recipe.changed(seed=9), kept.fingerprint)


def test_audits_results_and_experiments_write_over_nothing(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = bytes_of(real)
    with pytest.raises(InputError, match="files of something else"):
        Stages(real, "abc")
    main(["cohort", "split", str(real), "--train", "0.5", "--val", "0.25", "--test", "0.25"])
    said = refused(capsys, "prove", real, KEPT / "brains", "--out", real / "proof", "--test", real)
    assert "refused" in said and not (real / "proof").exists()
    assert set(before) == set(bytes_of(real))
    shutil.copytree(KEPT / "study", tmp_path / "study")
    with pytest.raises(SystemExit):
        main(["readers", "results", str(tmp_path / "study"), "--out", str(tmp_path)])
    assert not (tmp_path / "answers.csv").exists()


def test_tables_keep_mark_line_ends_mode_and_the_place_of_a_link(
    real: Path, tmp_path: Path
) -> None:
    table = real / "cases.csv"
    text = "\ufeff" + table.read_text().replace("\n", "\r\n")
    (tmp_path / "shared.csv").write_bytes(text.encode())
    (tmp_path / "shared.csv").chmod(0o600)
    table.unlink()
    table.symlink_to(tmp_path / "shared.csv")
    main(["cohort", "measure", str(real), "--attribute", "lateral_ventricles_volume_ml"])
    after = (tmp_path / "shared.csv").read_bytes().decode()
    assert table.is_symlink() and (tmp_path / "shared.csv").stat().st_mode & 0o777 == 0o600
    assert after.startswith("\ufeffcase,") and after.count("\r\n") == 5 == after.count("\n")


def test_a_stray_cell_never_becomes_a_measurement(
    real: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (real / "cases.csv").read_text().splitlines()
    lines[2] += ",7"
    (real / "cases.csv").write_text("\n".join(lines) + "\n")
    words = ("cohort", "measure", real, "--attribute", "lateral_ventricles_volume_ml")
    assert "more cells than there are columns" in refused(capsys, *words)
    assert (real / "cases.csv").read_text().splitlines() == lines


def test_a_cohort_that_is_gone_on_with_keeps_what_was_added_to_its_description(
    tmp_path: Path,
) -> None:
    words = ["phantom", "brain", str(tmp_path / "out"), "--spacing", "8", "-n"]
    main([*words, "1"])
    path = tmp_path / "out/dataset.json"
    path.write_text(path.read_text().replace("{", '{"licence": "CC-BY",', 1))
    main(["cohort", "measure", str(tmp_path / "out"), "--attribute", "grey_volume_ml=grey_matter"])
    with contextlib.suppress(SystemExit):
        main([*words, "2"])
    assert '"licence": "CC-BY"' in path.read_text() and "grey_volume_ml" in path.read_text()


def test_two_patients_of_one_name_are_not_taken_for_one_another(tmp_path: Path) -> None:
    from vesalius.scans.case import Case

    cases = []
    for patient in ("a", "b"):
        (tmp_path / patient).mkdir()
        (tmp_path / patient / "T2.nii.gz").write_bytes(patient.encode())
        cases.append(Case("T2", (tmp_path / patient / "T2.nii.gz",), None, patient))
    assert cases[0].images_digest() != cases[1].images_digest() == cases[1].images_digest()


def test_segment_keeps_a_label_map_that_was_corrected(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["segment", str(KEPT / "segmenter"), str(real), "--out", str(tmp_path / "labels")]
    main(words)
    path = sorted((tmp_path / "labels").glob("*.nii.gz"))[0]
    shutil.copyfile(real / "labelsTr" / path.name, path)
    corrected = path.read_bytes()
    main(words)
    assert path.read_bytes() == corrected
    other = KEPT / "brains"
    said = refused(capsys, *words[:2], other, "--out", tmp_path / "labels")
    assert "was made with scans" in said
