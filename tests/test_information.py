"""`vesalius info`: runs, cohorts and results are told apart, and nothing else is taken for one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import vesalius as vs
from vesalius.cli import main
from vesalius.scans.input_error import InputError

HERE = Path(__file__).parent
KEPT = HERE / "kept/form-1"


def test_each_kind_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    main(["info", str(KEPT / "volumes")])
    assert "a run" in (said := capsys.readouterr().out) and "Not for diagnosis" in said
    cohort = vs.info(KEPT / "brains")
    assert "4 cases of 4 subjects, 4 with label maps, 0 synthetic" in cohort[0]
    assert any(line.startswith("ventricle_volume_ml: 12.29 to 30.72") for line in cohort)
    results = vs.info(HERE.parent / "docs/results/lumbar-demo.json")
    assert "results of lumbar, preset demo" in results[0] and "phantoms" in results[0]
    assert "more" in results[13]


def test_an_unfinished_run_says_which_parts_are_there(tmp_path: Path) -> None:
    folder = shutil.copytree(KEPT / "volumes", tmp_path / "run")
    (folder / "card.md").unlink()
    (folder / "denoiser.safetensors").unlink()
    assert "finished parts: autoencoder. The same" in vs.info(folder)[0]


def test_anything_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "results.json").write_text("[]")
    for path, said in (
        (tmp_path / "notes.txt", "neither run, cohort nor results"),
        (tmp_path, "should be an object"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            vs.info(path)
