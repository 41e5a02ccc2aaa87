"""Makes the runs, cohorts and studies that are kept with the tests: the smallest of each kind.

    python -m benchmarks.keep tests/kept/form-1

They stay as they are for good: every later version must load them. When the form of a file changes,
a further folder is made beside the old ones, and none is made anew.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.reader_study import study_of_maps
from vesalius.cli import main
from vesalius.readers.answers.store import Answer, Store, now

RUNS = (
    ("guided", "brains", "fit guided {cohort} --out {out} --preset smallest --spacing 12"),
    ("inpainting", "spines", "fit inpainting {cohort} --out {out} --preset smallest"),
    ("volumes", "brains", "fit volumes {cohort} --out {out} --preset smallest"),
    ("segmenter", "brains", "fit segmenter {cohort} --out {out} --preset smallest"),
    ("pretraining", "brains", "pretrain {cohort} --out {out} --preset smallest"),
    ("classifier", "radiographs",
     "fit classifier {cohort} --out {out} --preset smallest --side 32"),
    ("progression", "knees", "fit progression {cohort} --out {out} --preset smallest"),
)  # fmt: skip


def keep(out: Path) -> None:
    """Make everything below `out`, which must not be there."""
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        main(["phantom", "brain", str(work / "brains"), "-n", "16", "--spacing", "6"])
        main(["phantom", "spine", str(work / "spines"), "-n", "12", "--pixel-mm", "2",
              "--herniation", "0.4", "--stenosis", "0.4"])  # fmt: skip
        main(["phantom", "radiograph", str(work / "radiographs"), "-n", "40", "--side", "32"])
        main(["phantom", "knee", str(work / "knees"), "-n", "24", "--side", "32", "--years", "0,4"])
        for method, cohort, command in RUNS:
            words = command.format(cohort=work / cohort, out=out / method)
            subprocess.run([sys.executable, "-m", "vesalius", *words.split()], check=True)
            (out / method / "plain.pt2").unlink(missing_ok=True)
        main(["phantom", "brain", str(out / "brains"), "-n", "4", "--spacing", "8"])
        main(["phantom", "spine", str(out / "spines"), "-n", "2", "--pixel-mm", "3",
              "--herniation", "0.4", "--stenosis", "0.4"])  # fmt: skip
        main(["phantom", "knee", str(out / "knees"), "-n", "2", "--side", "32", "--years", "0,4"])
        main(["generate", str(out / "volumes"), "--out", str(out / "generated"), "-n", "2"])
        (work / "study").mkdir()
        study = study_of_maps(work / "study", items=6, readers=2)
        shutil.copytree(study.folder, out / "study")
    _answer(out / "study")


def _answer(folder: Path) -> None:
    """Some answers of a reader, in the study's own database."""
    from vesalius.readers.study import Study

    study = Study.open(folder)
    store, rng = Store.at(study), np.random.default_rng(0)
    requested = study.outline.questions
    for step in range(3):
        said = {one.name: int(rng.integers(one.low, one.high + 1)) for one in requested}
        store.add(Answer(0, step, "sitting-1", f"key-{step:04d}", said, 2.0, now()))
    store.engine.dispose()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
