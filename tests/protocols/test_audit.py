"""The audit as a command: verdict, list of cases to withhold, exit codes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from vesalius.cli import main
from vesalius.phantoms.cohort import write_gridded
from vesalius.protocols.audit import audit
from vesalius.scans.cohort import Cohort, CohortWriter
from vesalius.scans.fault import Refused

GRID = (32, 32, 32)


def test_a_cohort_with_a_copy_is_told_which(tmp_path: Path) -> None:
    real = write_gridded("breast", tmp_path / "real", 24, 0, GRID, split="train", workers=2)
    write_gridded("breast", tmp_path / "held", 14, 1, GRID)
    other = write_gridded("breast", tmp_path / "other", 3, 2, GRID)
    writer = CohortWriter(tmp_path / "made", real.description)
    for index, (cohort, row) in enumerate([(other, 0), (real, 5), (other, 1)]):
        scan = cohort.read(cohort.cases[row])
        provenance = {"synthetic": True}
        writer.add(f"made_{index}", scan, f"made-{index}", {}, provenance=provenance,
                   dtype=np.int16)  # fmt: skip
    writer.finish()
    command = ["audit", str(tmp_path / "real"), str(tmp_path / "made"), "--holdout",
               str(tmp_path / "held"), "--out", str(tmp_path / "verdict")]  # fmt: skip
    main(command)
    with (tmp_path / "verdict/withhold.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["case"], row["training_case"]) for row in rows] == [("made_1", "breast_0005")]
    figures = json.loads((tmp_path / "verdict/results.json").read_text())["figures"]
    assert figures["memorisation/copies"]["value"] == 1
    assert figures["memorisation/copies"]["n"] == 3
    assert figures["memorisation/false_alarms"]["n"] == 14
    assert 0 <= figures["memorisation/membership_auc"]["value"] <= 1
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--fail-on-copies"])
    assert stopped.value.code == 3
    shutil.rmtree(tmp_path / "made/labelsTr")
    bare = Cohort.open(tmp_path / "made", labelled=False)
    found = audit(real, bare, Cohort.open(tmp_path / "held"), tmp_path / "bare verdict")
    assert [w.case for w in found.withheld] == ["made_1"]
    few = Cohort.open(tmp_path / "other")
    with pytest.raises(Refused, match="12 is the least"):
        audit(real, bare, few, tmp_path / "none")
