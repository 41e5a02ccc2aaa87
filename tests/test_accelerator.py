"""The benchmark for a GPU, at its smallest and on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accelerator import SIZES, collect, one
from vesalius.cli import main
from vesalius.evidence.results import Results
from vesalius.training import loop


def test_one_method_is_fitted_used_and_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "Loader", loop.Loader)
    size = SIZES["smallest"]
    main(size.phantoms["brain"].format(out=tmp_path / "brain").split())
    one("segmentation", out=tmp_path, size="smallest")
    collect(out=tmp_path, size="smallest", missing=["guided"])
    found = Results.read(tmp_path)
    step = found.figures["accelerator/segmentation/segmenter/seconds_a_step"]
    assert step.value > 0
    assert found.figures["accelerator/segmentation/use/cases_a_second"].n == 12
    assert found.notes["not_measured"] == ["guided"]
