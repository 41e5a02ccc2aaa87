"""The contract of a method: what is not in the method itself need not be written for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.training.toy import Toy
from vesalius.cli import main
from vesalius.evidence.audit import audit
from vesalius.methods import forget, method_of, register
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.training.fit import fit, prepare


@pytest.fixture
def toy() -> Iterator[Toy]:
    """The toy, known as long as a test runs."""
    method = Toy()
    register(method)
    yield method
    forget("toy")


def test_a_toy_is_at_most_eighty_lines() -> None:
    lines = (Path(__file__).parent / "toy.py").read_text().splitlines()
    assert len(lines) <= 80


def test_a_method_from_outside_is_listed_planned_fitted_loaded_asked_and_audited(
    toy: Toy, brains: Cohort, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["fit", "--help"])
    assert "toy" in capsys.readouterr().out
    words = ["fit", "toy", str(brains.folder), "--out", str(tmp_path / "run")]
    main([*words, "--dry-run"])
    assert "mean: 0.0" in capsys.readouterr().out and not (tmp_path / "run").exists()
    main([*words, "--seed", "3"])
    assert '"method": "toy"' in (tmp_path / "run/recipe.json").read_text()
    pipeline = method_of(tmp_path / "run").load(tmp_path / "run")
    assert np.array_equal(pipeline(1).channels[0].voxels, pipeline(1).channels[0].voxels)
    writer = CohortWriter(tmp_path / "made", brains.description)
    for seed in range(2):
        provenance = {"synthetic": True, "seed": seed}
        writer.add(f"toy_{seed}", pipeline(seed), f"toy-{seed}", {}, provenance=provenance)
    made = writer.finish()
    found = audit(brains, made, None if brains.of_split("val") else _split(brains, tmp_path),
                  tmp_path / "audit")  # fmt: skip
    assert "memorisation/copies" in found.results.figures


def test_a_killed_fit_of_a_toy_ends_with_the_same_bytes(
    toy: Toy, brains: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vesalius.training.loop.SECONDS_BETWEEN_STATES", 0.0)
    prepared = prepare(toy, brains, toy.recipe())
    fit(prepared, tmp_path / "whole")

    def killed(what: str, done: int, of: int) -> None:
        if what == "fitting mean" and done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(prepared, tmp_path / "killed", killed)
    assert not (tmp_path / "killed/mean.safetensors").exists()
    fit(prepared, tmp_path / "killed")
    for name in ("mean.safetensors", "log.csv", "card.md"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def _split(brains: Cohort, folder: Path) -> Cohort:
    """Other phantoms that nothing was fitted on."""
    from vesalius.phantoms.cohorts.organs import write_brains

    return write_brains(folder / "unseen", 12, seed=9, spacing_mm=8.0, split="test")
