"""The lumbar experiment at its smallest: every named figure, and a second run that only reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from vesalius.evidence.figure import Figure
from vesalius.experiments.lumbar.experiment import _requested_sizes, run_lumbar
from vesalius.experiments.lumbar.prespecified import prespecified
from vesalius.experiments.lumbar.recipe import PRESETS
from vesalius.methods.inpainting.methods import METHODS
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.phantoms.cohorts.organs import write_spines
from vesalius.report.lumbar_page import write_lumbar_report
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import no_progress
from vesalius.training.run import Run


def test_the_experiment_writes_every_figure_and_resumes(
    tmp_path: Path, accounted: Callable[[Mapping[str, Figure]], None]
) -> None:
    recipe = PRESETS["smallest"].changed(radiomics_cases=3)
    stages: list[str] = []
    results = run_lumbar(tmp_path / "out", recipe, finished=stages.append)
    accounted(results.figures)
    primary = {one.name for one in prespecified(recipe).primary}
    assert primary <= results.figures.keys()
    written = json.loads((tmp_path / "out" / "results.json").read_text())["figures"]
    for pathology in ("herniation", "stenosis"):
        for method in METHODS:
            assert f"fidelity/{pathology}/{method}/fid" in written
            assert f"fidelity/{pathology}/{method}/frd" in written
            assert f"anatomy/{pathology}/{method}/dice" in written
        assert f"fidelity/{pathology}/real_vs_real/fid" in written
    for method in METHODS:
        for name in (f"context/{method}/mae", f"seam/{method}", f"cost/{method}/network_calls",
                     f"cost/{method}/seconds"):  # fmt: skip
            assert name in written
        assert written[f"context/{method}/mae"]["value"] == 0
    for arm in ("real", "augmented", "upper_bound"):
        assert 0 <= written[f"utility/{arm}/auc"]["value"] <= 1
    assert "fidelity" in stages and results.rests_on_phantoms
    page = write_lumbar_report(tmp_path / "out").read_text()
    assert "rests on phantoms" in page and page.count("<img") >= 4
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)

    again: list[str] = []
    second = run_lumbar(tmp_path / "out", recipe, finished=again.append)
    assert not again
    assert {k: f for k, f in second.figures.items() if k in written} == results.figures
    with pytest.raises(InputError, match="other settings"):
        run_lumbar(tmp_path / "out", recipe.changed(seed=9))


def test_what_a_patient_cannot_take_is_listed_and_the_other_requests_go_on(
    inpainting_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = {"herniation": 0.0, "stenosis": 0.0}
    healthy = write_spines(tmp_path / "healthy", 2, 77, (8.0, 2.5, 2.5), none)

    def possible(self: InpaintingPipeline, scan: object, request: object, case: str) -> None:
        if case == healthy.cases[1].name:
            raise InputError(case, "has a canal of only 9 mm already", "choose a healthy level")

    monkeypatch.setattr(InpaintingPipeline, "require_possible", possible)
    recipe = PRESETS["smallest"].changed(control_cases=4, tries=1)
    draws, refused = _requested_sizes(inpainting_run, healthy, recipe, no_progress)
    assert [draw.case for draw in draws] == ["control_000", "control_002"]
    assert [fault.file for fault in refused] == [healthy.cases[1].name] * 2
