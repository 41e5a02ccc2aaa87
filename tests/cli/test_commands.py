"""The command line: help, exit codes, and the README's commands in their smallest form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vesalius
from vesalius.cli import main
from vesalius.scans.cohort import Cohort

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/tutorials").glob("*.md"))
"""Pages that are gone through at the prompt, each from an empty folder."""
LEFT_OUT = ("import dicom/", "inpaint runs/nodules")
"""Commands that need DICOM, or a fit long enough that nodules come out of it."""


def ends(*arguments: str) -> int:
    """The exit code of a command."""
    try:
        main(list(arguments))
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends("--version") == 0
    assert vesalius.__version__ in capsys.readouterr().out
    assert ends("--help") == 0
    shown = capsys.readouterr().out
    for group in (
        "cohort",
        "phantom",
        "fit",
        "generate",
        "balance",
        "inpaint",
        "pretrain",
        "segment",
        "prove",
        "experiment",
    ):
        assert group in shown
    assert ends("fit", "guided", "--help") == 0
    assert "--attribute" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("cohort", "check", "nowhere"),
        ("fit", "guided", "nowhere", "--out", "run"),
        ("generate", "nowhere", "--out", "x", "--attribute", "ventricle_volume_ml=20:160"),
        ("phantom", "brain", "out", "--ventricle-volume-ml", "20:9000"),
        ("phantom", "brain", "out", "--ventricle-volume-ml", "many"),
        ("cohort", "check"),
        ("cohort", "chekc", "x"),
        ("phantom", "brain", "/proc/x/y", "-n", "1"),
        ("phantom", "spine", "out", "--stenosis", "7"),
        ("fit", "inpainting", "nowhere", "--out", "run"),
        ("fit", "volumes", "nowhere", "--out", "run"),
        ("fit", "segmenter", "nowhere", "--out", "run"),
        ("pretrain", "nowhere", "--out", "run"),
        ("segment", "nowhere", "nowhere", "--out", "x"),
        ("fit", "classifier", "nowhere", "--out", "run"),
        ("classify", "nowhere", "nowhere", "--out", "x.csv"),
        ("explain", "nowhere", "nowhere", "--out", "x"),
        ("generate", "nowhere", "--out", "x"),
        ("balance", "nowhere", "--run", "nowhere", "--out", "x"),
        ("inpaint", "nowhere", "x.nii.gz", "--out", "x", "--pathology", "gout", "--level", "L1"),
        (
            "inpaint",
            "nowhere",
            "x.nii.gz",
            "--out",
            "x",
            "--pathology",
            "stenosis",
            "--level",
            "L4-L5",
            "--severity",
            "7",
        ),
    ],
)
def test_bad_input_ends_with_code_two_and_one_line(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(*arguments) == 2
    complaint = capsys.readouterr().err
    assert len(complaint.strip().splitlines()) == 1
    assert "Traceback" not in complaint


def test_check_shows_what_is_there_and_what_is_rare(
    brains: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends("cohort", "check", str(brains.folder)) == 0
    shown = " ".join(capsys.readouterr().out.split())  # lines are broken by length of the path
    assert "18 sound cases of 18 subjects" in shown
    assert "ventricle_volume_ml" in shown and "rare" in shown and "no faults" in shown


def commands_of(page: Path) -> list[str]:
    """The lines of a page that begin with `vesalius`, continued lines joined."""
    text = page.read_text().replace("\\\n", " ")
    return [
        " ".join(line.split("#")[0].split())
        for block in re.findall(r"```bash\n(.*?)```", text, re.S)
        for line in block.splitlines()
        if line.strip().startswith("vesalius ")
    ]


SMALLER = (
    (r"-n (?!4 )\d+", "-n 18"), (r"--spacing \S+", "--spacing 8"), (r"set demo", "set smallest"),
    (r"=20:160", "=20:30"), (r"^vesalius fit guided (.*)", r"vesalius fit guided \1"),
    (r"--seed 1 --ventricle-volume-ml \S+", "--seed 1 --ventricle-volume-ml 60:90"),
    (r"--slice-mm \S+ --pixel-mm \S+", "--slice-mm 8 --pixel-mm 2.5"),
    (r"(breast .*)--grid \S+", r"\1--grid 32x32x32"), (r"--grid 128\S+", "--grid 64x64x64"),
    (r"radiograph radiographs/ -n \d+", "radiograph radiographs/ -n 60 --side 32"),
    (r"(fit classifier .*)", r"\1 --side 32"), (r"phantom knee (.*)", r"phantom knee \1 --side 16"),
    (r"radiograph (.*)--scanner", r"radiograph \1--side 32 --scanner"),
    (r"--herniation 0.06 --stenosis 0.06", "--herniation 0.2 --stenosis 0.2"),
)  # fmt: skip


def test_the_commands_of_the_readme_are_those_of_the_first_tutorial() -> None:
    first = commands_of(ROOT / "docs/tutorials/steer-a-volume.md")
    own = [c for c in commands_of(ROOT / "README.md") if not any(part in c for part in LEFT_OUT)]
    assert len(own) >= 6 and not set(own) - set(first)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [c for c in commands_of(page) if not any(part in c for part in LEFT_OUT)]
    assert len(commands) >= 3
    for line in commands:
        small = line
        for pattern, replacement in SMALLER:
            small = re.sub(pattern, replacement, small)
        fitting = any(part in small for part in (" fit ", " prove ", " pretrain "))
        if fitting and "--preset" not in small:
            small += " --preset smallest"
        if " inpaint " in small or "runs/spine --out" in small:
            small = re.sub(r"-n \d+", "-n 2", small) + " --tolerance 99 --tries 1"
        elif " generate " in small or " balance " in small:
            slack = "99" if "--segmenter" in small else "0.5"
            small += f" --tolerance {slack} --tries 40 --extrapolate"
        code = ends(*small.split()[1:])
        assert code == 0, (small, capsys.readouterr())
