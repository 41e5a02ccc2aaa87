"""The audit as a command: verdict, list of cases to withhold, exit codes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from vesalius.cli import main
from vesalius.evidence.audit import audit
from vesalius.experiments.proof_figures import comparison_figures
from vesalius.methods.pretraining.method import Pretraining
from vesalius.methods.pretraining.pipeline import Embedding
from vesalius.methods.pretraining.training import PRESETS as PRETRAININGS
from vesalius.phantoms.cohorts.organs import write_gridded
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import no_progress
from vesalius.training.fit import fit, prepare

GRID = (32, 32, 32)


def test_a_cohort_with_a_copy_is_told_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "vesalius.experiments.proof_figures.radiomics_available", lambda: "not wanted"
    )
    real = write_gridded("breast", tmp_path / "real", 24, 0, GRID, split="train", workers=2)
    write_gridded("breast", tmp_path / "held", 14, 1, GRID)
    other = write_gridded("breast", tmp_path / "other", 3, 2, GRID)
    writer = CohortWriter(tmp_path / "made", real.description)
    for index, (cohort, row) in enumerate([(other, 0), (real, 5), (other, 1), (other, 2)]):
        scan = cohort.read(cohort.cases[row])
        if index == 3:
            scan.channels[0].voxels[:, 6:26, 6:26] = (
                real.read(real.cases[9]).channels[0].voxels[:, 6:26, 6:26]
            )
        provenance = {"synthetic": True}
        writer.add(f"made_{index}", scan, f"made-{index}", {}, provenance=provenance,
                   dtype=np.int16)  # fmt: skip
    writer.finish()
    command = ["audit", str(tmp_path / "real"), str(tmp_path / "made"), "--holdout",
               str(tmp_path / "held"), "--out", str(tmp_path / "verdict")]  # fmt: skip
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--fail-on-copies"])
    assert stopped.value.code == 3
    with (tmp_path / "verdict/withhold.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [tuple(row[key] for key in ("case", "training_case", "found_by")) for row in rows] == [
        ("made_1", "breast_0005", "image"), ("made_3", "breast_0009", "patches"),
    ]  # fmt: skip
    figures = json.loads((tmp_path / "verdict/results.json").read_text())["figures"]
    assert figures["memorisation/copies"]["value"] == 2
    assert figures["memorisation/copies"]["n"] == 4
    assert figures["memorisation/false_alarms"]["n"] == 14
    assert 0 <= figures["memorisation/membership_auc"]["value"] <= 1
    held, whole = Cohort.open(tmp_path / "held"), Cohort.open(tmp_path / "made")
    pairs = [(held, case) for case in held.cases]
    proof, notes = comparison_figures(real, whole, real.cases, whole.cases, pairs, 0, no_progress)
    for name in [name for name in figures if name.startswith("memorisation/")]:
        assert proof[name].value == pytest.approx(figures[name]["value"], abs=1e-6)
    assert notes["copies"] == ["made_1", "made_3"]
    shutil.rmtree(tmp_path / "made/labelsTr")
    bare = Cohort.open(tmp_path / "made", labelled=False)
    fit(prepare(Pretraining(), real, PRETRAININGS["smallest"]), tmp_path / "pretrained")
    embed = Embedding(tmp_path / "pretrained", 1).of
    found = audit(real, bare, held, tmp_path / "embedded", embed=embed)
    assert {"made_1", "made_3"} <= {w.case for w in found.withheld}
    seen = found.results.figures
    assert seen["memorisation/embedding/copies"].n == 4
    assert seen["memorisation/embedding/held_out_lead"].n == 14
    few = Cohort.open(tmp_path / "other")
    with pytest.raises(InputError, match="12 is the least"):
        audit(real, bare, few, tmp_path / "none")


def test_an_edited_training_case_is_withheld_though_it_is_no_copy_of_others(tmp_path: Path) -> None:
    real = write_gridded("breast", tmp_path / "real", 20, 0, GRID, split="train")
    held = write_gridded("breast", tmp_path / "held", 14, 1, GRID)
    own = real.cases[5]
    namesake = {"parent": own.name, "parent_images": real.cases[6].images_digest()}
    for name, origin, found_by, counts in (
        ("edited", {"parent": own.name, "parent_images": own.images_digest()}, "parent", (0, 1)),
        ("of_a_namesake", namesake, "image", (1, 0)),
    ):
        writer = CohortWriter(tmp_path / name, real.description)
        scan = real.read(own)
        writer.add("made", scan, "made", {}, provenance={"synthetic": True, **origin})
        writer.finish()
        command = ["audit", str(real.folder), str(tmp_path / name), "--holdout", str(held.folder),
                   "--out", str(tmp_path / f"{name}-verdict"), "--fail-on-copies"]  # fmt: skip
        with pytest.raises(SystemExit) as stopped:
            main(command)
        assert stopped.value.code == 3
        withheld = (tmp_path / f"{name}-verdict/withhold.csv").read_text().splitlines()
        assert withheld[1].startswith(f"made,{own.name},{found_by},")
        figures = json.loads((tmp_path / f"{name}-verdict/results.json").read_text())["figures"]
        found = tuple(figures[f"memorisation/{kind}"]["value"] for kind in ("copies", "edited"))
        assert found == counts
