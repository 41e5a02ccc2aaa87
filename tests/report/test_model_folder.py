"""Folders for the Hub: what is loaded from them is what was exported, and cards say what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import vesalius as vs
from vesalius.scans.cohort import Cohort
from vesalius.training.run import Run


def front(path: Path) -> tuple[dict[str, object], str]:
    _, head, body = path.read_text().split("---\n", 2)
    return yaml.safe_load(head), body


def test_a_run_is_loaded_from_its_folder_and_makes_the_same_case(
    small_run: Run, tmp_path: Path
) -> None:
    vs.export(small_run.folder, tmp_path / "out", "huggingface", license_id="apache-2.0")
    head, body = front(tmp_path / "out" / "README.md")
    assert head["license"] == "apache-2.0" and "guided" in head["tags"]
    assert "phantoms, not on patients" in body and "Not for diagnosis" in body
    assert not (tmp_path / "out" / "state").exists()
    one, other = (
        vs.load(folder)(ventricle_volume_ml=20, seed=1, tries=1)
        for folder in (small_run.folder, tmp_path / "out")
    )
    np.testing.assert_array_equal(one.image.voxels, other.image.voxels)


def test_a_cohort_is_one_again_and_its_card_tells_whether_it_was_audited(
    brains: Cohort, tmp_path: Path
) -> None:
    notes = vs.export(brains, tmp_path / "out", "huggingface")
    head, body = front(tmp_path / "out" / "README.md")
    assert notes == ["no audit was given: the card says so"] and "No audit" in body
    assert head["license"] == "other" and head["size_categories"] == ["n<1K"]
    assert f"{len(brains.cases)} phantom" in body and "ventricle_volume_ml" in body
    again = Cohort.open(tmp_path / "out")
    assert [case.name for case in again.cases] == [case.name for case in brains.cases]
    assert again.cases[0].images_digest() == brains.cases[0].images_digest()
    with pytest.raises(vs.InputError, match="holds files already"):
        vs.export(brains, tmp_path / "out", "huggingface")
