"""Cases are read ahead and one by one, and no weight hangs on who read them."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.training.toy import Toy, ToyRecipe
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.computing import be_friendly, set_computing
from vesalius.scans.input_error import InputError
from vesalius.training.device import compute_device
from vesalius.training.fit import fit, prepare
from vesalius.training.loader import Loader


def test_a_fit_ends_with_the_same_weights_whatever_the_number_of_workers(
    brains: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []
    for workers in (0, 1, 3):
        monkeypatch.setenv("VESALIUS_WORKERS", str(workers))
        run = fit(prepare(Toy(), brains, ToyRecipe()), tmp_path / str(workers))
        weights.append(load_file(run.folder / "mean.safetensors")["image"])
    assert torch.equal(weights[0], weights[1]) and torch.equal(weights[0], weights[2])


def test_what_goes_wrong_in_a_reading_thread_ends_the_fit() -> None:
    def read(step: int) -> tuple[Tensor, torch.Generator]:
        if step == 3:
            raise InputError("scan.nii.gz", "is damaged", "copy it again")
        return torch.zeros(1), torch.Generator()

    steps = []
    with pytest.raises(InputError, match="is damaged"):
        for step, _, _ in Loader(read, range(9), torch.device("cpu"), workers=2):
            steps.append(step)
    assert steps == [0, 1, 2]


def test_while_a_cohort_is_read_and_fitted_on_no_more_than_three_scans_are_kept(
    brains: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: weakref.WeakSet[LabelledScan] = weakref.WeakSet()
    most = 0
    read = Cohort.read

    def watched(self: Cohort, case: Case) -> LabelledScan:
        nonlocal most
        scan = read(self, case)
        alive.add(scan)
        gc.collect()
        most = max(most, len(alive))
        return scan

    monkeypatch.setattr(Cohort, "read", watched)
    from vesalius.methods.guided.method import Guided
    from vesalius.methods.guided.recipe import PRESETS

    gc.freeze()  # what is there before is not looked through again and again
    try:
        fit(prepare(Guided(), brains, PRESETS["smallest"]), tmp_path / "run")
    finally:
        gc.unfreeze()
    assert 1 <= most <= 3 < len(brains.cases)


def test_waiting_threads_sleep_where_others_compute_unless_the_user_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import os
    import sys

    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setattr("vesalius.scans.computing.busy_processors", lambda: 0.0)
    be_friendly()
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.setattr("vesalius.scans.computing.busy_processors", lambda: 1.0)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    be_friendly()
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "")  # so that it is taken back afterwards
    monkeypatch.delenv("OMP_WAIT_POLICY")
    be_friendly()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VESALIUS_DEVICE", "auto")
    set_computing(device="cuda:7")
    with pytest.raises(InputError, match="cuda:7 is asked for"):
        compute_device()
    with pytest.raises(InputError, match="--threads"):
        set_computing(threads=0)


def test_processes_that_share_the_reading_measure_the_same(
    spines: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vesalius.api.fitting import plan

    read = []
    for workers in (1, 2):
        monkeypatch.setenv("VESALIUS_WORKERS", str(workers))
        data = plan("inpainting", spines, preset="smallest").data
        read.append((data.fingerprint, [dict(crop.sizes) for crop in data.crops]))
    assert read[0] == read[1]
