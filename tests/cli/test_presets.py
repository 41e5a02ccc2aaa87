"""Every preset of every fit starts on a sound cohort with all its defaults."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from vesalius.api.experimenting import EXPERIMENTS, prespecified
from vesalius.cli import main
from vesalius.methods import method
from vesalius.phantoms.cohorts.findings import write_findings
from vesalius.phantoms.cohorts.visits import write_knees
from vesalius.scans.cohort import Cohort

FITS = {
    "guided": ("guided", "brains"), "inpainting": ("inpainting", "spines"),
    "volumes": ("volumes", "brains"), "segmenter": ("segmentation", "brains"),
    "classifier": ("classification", "radiographs"), "progression": ("progression", "knees"),
    "pretrain": ("pretraining", "brains"),
}  # fmt: skip
"""Method and cohort of each command."""
TOO_LARGE = "needs "
"""How a plan begins that this machine has no memory for."""


def _presets(name: str) -> tuple[str, ...]:
    return get_args(get_type_hints(method(name).recipe)["preset"])


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory, brains: Cohort, spines: Cohort) -> Path:
    folder = tmp_path_factory.mktemp("cohorts")
    for name, cohort in (("brains", brains), ("spines", spines)):
        (folder / name).symlink_to(cohort.folder)
    write_findings("radiograph", folder / "radiographs", 40, side=64)
    write_knees(folder / "knees", 24, side=64)
    return folder


def _words(name: str, cohort: Path, out: Path, preset: str) -> list[str]:
    command = ["pretrain"] if name == "pretrain" else ["fit", name]
    return [*command, str(cohort), "--out", str(out), "--preset", preset]


@pytest.mark.parametrize(
    ("name", "preset"), [(name, one) for name, (own, _) in FITS.items()
                         for one in _presets(own)],
)  # fmt: skip
def test_every_preset_is_planned(
    name: str, preset: str, cohorts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = _words(name, cohorts / FITS[name][1], tmp_path / "run", preset)
    try:
        main([*words, "--dry-run"])
    except SystemExit as end:
        said = capsys.readouterr().err
        assert end.code == 2 and f"plan: {TOO_LARGE}" in said and "GB are free" in said, said
    else:
        assert "in all: " in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", FITS)
def test_the_smallest_preset_of_each_fit_ends_well_in_a_process_of_its_own(
    name: str, cohorts: Path, tmp_path: Path
) -> None:
    words = _words(name, cohorts / FITS[name][1], tmp_path / "run", "smallest")
    command = [sys.executable, "-m", "vesalius", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
    assert (tmp_path / "run/card.md").is_file() and not (tmp_path / "run/state").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--spacing", "-1"], ["--spacing", "0"], ["--spacing", "nan"], ["--seed", "-1"],
        ["--seed", "x"], ["--preset", "largest"],
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(
    words: list[str], cohorts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["fit", "guided", str(cohorts / "brains"), "--out", str(tmp_path / "run"), *words])
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.startswith("refused") and len(said) < 320


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_says_what_it_asks_and_makes_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["experiment", name, "--out", str(tmp_path / "out"), "--dry-run"])
    said = " ".join(capsys.readouterr().out.split())
    for asked in prespecified(name):
        assert asked.question[:40] in said
        assert all(one.name in said for one in asked.primary)
    assert not (tmp_path / "out").exists()
