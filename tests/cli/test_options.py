"""What options are taken for, and what the terminal says of faults."""

from __future__ import annotations

import io
import json
import shlex
from pathlib import Path

import pytest
import yaml
from cyclopts import App
from pydantic import BaseModel
from rich.console import Console

from vesalius import cli
from vesalius.cli import main, terminal
from vesalius.cli.examples import EXAMPLES
from vesalius.methods.guided.recipe import PRESETS, GuidedRecipe
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.table import read_table
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.training.run import Run


class Stopped(Exception):
    """Raised instead of a fit."""


def recipe_of(monkeypatch: pytest.MonkeyPatch, cohort: Cohort, *options: str) -> BaseModel:
    """The recipe that `vesalius fit guided` makes of its options."""
    kept: list[BaseModel] = []

    def stop(_method: object, _cohort: Path, recipe: BaseModel, *_: object) -> None:
        kept.append(recipe)
        raise Stopped

    monkeypatch.setattr("vesalius.api.fitting.prepare_fit", stop)
    with pytest.raises(SystemExit):
        main(["fit", "guided", str(cohort.folder), "--out", "run", *options])
    return kept[0]


def test_auto_is_left_to_the_cohort_whatever_the_preset_says(
    brains: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PRESETS["published"].label_autoencoder == "vae"
    plain = recipe_of(monkeypatch, brains, "--preset", "published")
    assert plain.label_autoencoder == "vae"  # type: ignore[attr-defined]
    chosen = recipe_of(monkeypatch, brains, "--preset", "published", "--label-autoencoder", "auto")
    assert chosen.label_autoencoder == "auto"  # type: ignore[attr-defined]


def test_a_recipe_of_a_run_is_taken_with_an_entry_changed(
    brains: Cohort,
    small_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = json.loads((small_run.folder / "recipe.json").read_text())
    kept["fit_image_denoiser"]["steps"], kept["latent_widths"] = 7, [16, 24]
    for name, text in (("own.json", json.dumps(kept)), ("own.yaml", yaml.safe_dump(kept))):
        (tmp_path / name).write_text(text)
        taken = recipe_of(monkeypatch, brains, "--recipe", str(tmp_path / name))
        wanted = small_run.recipe.changed(
            latent_widths=(16, 24),
            fit_image_denoiser=small_run.recipe.fit_image_denoiser.changed(steps=7),
        )
        assert taken == wanted
    (tmp_path / "few.yaml").write_text("preset: smallest\nseed: 3\n")
    taken = recipe_of(monkeypatch, brains, "--recipe", str(tmp_path / "few.yaml"))
    assert taken == GuidedRecipe(preset="smallest", seed=3)
    capsys.readouterr()
    for text, said in (
        ("latent_width: [8, 8]", "latent_width: Extra inputs are not permitted"),
        ("seed: -1", "seed: -1 is not within"), ("method: volumes", "is the recipe of volumes"),
        ("- seed", "holds no recipe"),
    ):  # fmt: skip
        (tmp_path / "wrong.yaml").write_text(text)
        words = ["fit", "guided", str(brains.folder), "--out", str(tmp_path / "run"), "--recipe"]
        with pytest.raises(SystemExit):
            main([*words, str(tmp_path / "wrong.yaml")])
        told = " ".join(capsys.readouterr().err.split())
        assert said in told and "wrong.yaml" in told, told
    with pytest.raises(SystemExit):
        main([*words, str(tmp_path / "own.json"), "--preset", "demo"])
    assert "leaves no preset to choose" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("fit", "guided", "x", "--out", "y", "--spacing"),
        ("fit", "volumes", "x", "--out", "y", "--spacing"),
        ("phantom", "brain", "y", "--spacing"),
        ("phantom", "spine", "y", "--pixel-mm"),
        ("generate", "x", "--out", "y", "--tolerance"),
        ("generate", "x", "--out", "y", "--steps"),
        ("balance", "x", "--run", "y", "--out", "z", "--tolerance"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("value", ["-1", "-0.001", "0"])
def test_a_number_that_cannot_be_is_refused_before_anything_is_read(
    command: tuple[str, ...], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, value])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert command[-1].strip("-").split("-")[0] in said.lower(), said
    assert "exist" not in said


def test_a_share_below_zero_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cohort", "split", "x", "--train", "-0.2"])
    assert ended.value.code == 2 and "--train" in capsys.readouterr().err


def test_a_recipe_is_checked_however_it_is_changed() -> None:
    with pytest.raises(InputError, match="spacing_mm"):
        PRESETS["demo"].model_copy(update={"spacing_mm": -1.0})
    with pytest.raises(InputError, match="no_such"):
        PRESETS["demo"].model_copy(update={"no_such": 1})


def test_help_shows_what_stands_in_angle_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("fit", "guided"), ("cohort", "measure")):
        with pytest.raises(SystemExit):
            main([*command, "--help"])
            raise SystemExit
        assert "<label>_volume_ml" in capsys.readouterr().out


def test_faults_are_plain_lines_where_no_terminal_is_and_lie_in_a_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=out, width=40, highlight=False))
    name = "a/long/path/" * 8 + "case_0001_[x].nii.gz"
    faults = [InputProblem(f"{number}/{name}", "holds NaN", "replace them") for number in range(12)]
    terminal.print_faults(faults)
    lines = out.getvalue().splitlines()
    assert lines[:12] == [f"{one.file}: holds NaN; replace them" for one in faults]
    assert "all 12 left out: faults.csv" in lines[12]
    assert [row["file"] for row in read_table(Path("faults.csv"))] == [one.file for one in faults]
    terminal.print_faults(faults[:1])
    assert len(read_table(Path("faults.csv"))) == 1


def test_a_table_of_somebody_elses_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "console", Console(file=io.StringIO(), highlight=False))
    Path("faults.csv").write_text("date,what\n1912,quake\n")
    terminal.print_faults([InputProblem("x", "is odd", "mend it")])
    assert Path("faults.csv").read_text() == "date,what\n1912,quake\n"
    assert [row["file"] for row in read_table(Path("faults-1.csv"))] == ["x"]


@pytest.mark.parametrize(("old", "new"), [("protocol", "experiment"), ("progress", "forecast")])
def test_an_old_command_works_and_says_what_to_type(
    old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main([old, "--help"])
    shown = capsys.readouterr()
    assert f"Usage: vesalius {new}" in shown.out
    assert f"vesalius {old} is now called vesalius {new}" in shown.err


def _commands(app: App, name: str = "") -> dict[str, App]:
    """All commands that do something, by their words."""
    found = {name.strip(): app} if app.default_command is not None else {}
    for one in app:
        if not one.startswith("-"):
            found |= _commands(app[one], f"{name} {one}")
    return found


def test_every_command_has_an_example_that_it_understands() -> None:
    commands = _commands(cli.whole_app())
    named = {own for own in commands if own.removeprefix("fit ") not in ("classifier", "segmenter")}
    assert named == set(EXAMPLES)
    for path, words in EXAMPLES.items():
        assert words in commands[path].help_epilogue
        cli.app.parse_args([*path.split(), *shlex.split(words)], exit_on_error=False)


def test_positional_names_are_the_same_everywhere_and_no_flag_has_a_negative() -> None:
    for path, command in _commands(cli.whole_app()).items():
        arguments = command.assemble_argument_collection()
        positional = [
            one.names[0].lstrip("-").lower() for one in arguments if one.index is not None
        ]
        allowed = ("data", "run", "synthetic", "source", "out", "path", "design", "study", "files")
        assert {one.lstrip("-").lower() for one in positional} <= set(allowed), path
        page = Console(file=io.StringIO(), width=200)
        cli.app.help_print(path.split(), console=page)
        assert "--no-" not in page.file.getvalue(), path  # type: ignore[attr-defined]
