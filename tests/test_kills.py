"""A share of the campaign of kills; the whole of it is benchmarks/kills.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.kills import Count, contents, results_of

PARTS = ("generate_volumes", "import_dicom", "two_writers", "output_inside_input", "starved")


ROOT = Path(__file__).parents[1]


def test_commands_end_the_same_whatever_disturbs_them(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "benchmarks.kills", "--kills", "8", "--results",
             str(tmp_path / "kills.json"), "--only", *PARTS]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, capture_output=True, text=True, env=environment, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    figures = json.loads((tmp_path / "kills.json").read_text())["figures"]
    tried = {name: one["value"] for name, one in figures.items() if name.endswith("/tried")}
    assert tried["kills/import_dicom/tried"] > 1
    assert tried["kills/generate_volumes/tried"] > 1 and tried["kills/two_writers/tried"] == 2
    assert tried["kills/output_inside_input/tried"] == 8
    assert all(one["value"] == 0 for name, one in figures.items() if name.endswith("/violations"))


def test_what_differs_is_seen_and_times_are_not(tmp_path: Path) -> None:
    for name, value, seconds in (("a", 1, 1.0), ("b", 1, 2.0), ("c", 2, 1.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.json").write_text(json.dumps({"value": value, "seconds": seconds}))
        (tmp_path / name / ".writing.lock").write_text(name)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b != c and list(a) == ["x.json"]


def test_figures_tell_how_often_and_how_often_not() -> None:
    results = results_of({"generate": Count(20, ["after 3 kills 1 files differ"])}, 0)
    figure = results.figures["kills/generate/violations"]
    assert figure.value == 1 and figure.n == 20 and figure.ci95 and figure.ci95[0] > 0
    assert results.figures["kills/generate/tried"].value == 20
