"""What a plan says of cards that are not here, of disks, and of fits that would take too long."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from vesalius.api.fitting import fit, plan
from vesalius.methods.guided.fitting import GuidedData
from vesalius.methods.guided.method import Guided
from vesalius.methods.guided.recipe import PRESETS
from vesalius.scans.cards import CARDS
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.training.device import (
    compute_device,
    fabric_for,
    has_bfloat16,
    precision_here,
)
from vesalius.training.fingerprint import AttributeRange, Fingerprint
from vesalius.training.plan import Plan, planned

WEEK = 7 * 24 * 3600
HEAD = Fingerprint(
    cases=1000, subjects=1000, channels=("T1",), labels={"background": 0, "a": 1, "b": 2, "c": 3},
    origin="", shape=(160, 208, 176), spacing_mm=(1.0, 1.0, 1.0),
    affine=((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0), (0, 0, 0, 1)), orientation="RAS",
    intensity_low=(0.0,), intensity_high=(1.0,), intensity_bounds=((0.0, 1.0),),
    attributes=(AttributeRange(name="a_volume_ml", measure="volume_ml", labels=("a",), low=0.0,
                               high=1.0, mean=0.5, sd=0.2),), content="",
)  # fmt: skip


@pytest.fixture
def h100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VESALIUS_DEVICE", "h100")


def test_guided_synthesis_at_one_millimetre_ends_within_a_week_on_one_h100(h100: None) -> None:
    parts = Guided().parts(
        GuidedData(PRESETS["published"], HEAD, fitted=1000, conditions=torch.zeros(1000, 2))
    )
    fits = [planned(part) for part in parts]
    assert sum(one.seconds for one in fits) < WEEK
    assert max(one.cost.peak_bytes for one in fits) < CARDS["h100"].memory_bytes


def test_a_card_can_be_planned_for_and_not_fitted_on(
    h100: None, brains: Cohort, tmp_path: Path
) -> None:
    lines = plan("guided", brains, preset="smallest").plan.lines()
    assert any("planned for one h100" in line for line in lines)
    with pytest.raises(InputError, match="h100 is a card to plan for"):
        fit("guided", brains, tmp_path / "run", preset="smallest")
    assert not (tmp_path / "run").exists()


def test_a_disk_that_is_too_small_is_refused_before_any_work(tmp_path: Path) -> None:
    Plan((), 0.0, disk_bytes=1.0).require_disk(tmp_path / "a" / "b")
    with pytest.raises(InputError, match="GB on its disk"):
        Plan((), 0.0, disk_bytes=1e18).require_disk(tmp_path / "a" / "b")


def test_what_a_killed_fit_wrote_is_not_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr("vesalius.training.plan.shutil.disk_usage", lambda place: usage)
    plan_of_150 = Plan((), 0.0, disk_bytes=150.0)
    with pytest.raises(InputError, match="on its disk"):
        plan_of_150.require_disk(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "images.npy").write_bytes(bytes(60))
    plan_of_150.require_disk(tmp_path)


def test_a_device_from_the_environment_that_is_none_is_refused_in_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("abacus", "cuda:x", "h100:0"):
        monkeypatch.setenv("VESALIUS_DEVICE", name)
        with pytest.raises(InputError, match=f"'{name}' is none"):
            compute_device()


def test_the_disk_that_is_planned_for_is_what_the_cases_take(
    brains: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest = 0

    def look(what: str, done: int, total: int) -> None:
        nonlocal largest
        files = (tmp_path / "run" / "state").rglob("*.npy")
        largest = max(largest, sum(file.stat().st_size for file in files))

    prepared = plan("volumes", brains, preset="smallest")
    fit("volumes", brains, tmp_path / "run", preset="smallest", progress=look)
    assert largest == pytest.approx(prepared.plan.disk_bytes, rel=0.05)


@pytest.mark.parametrize("hardware", [True, False])
def test_bfloat16_is_left_to_devices_that_have_hardware_for_it(
    hardware: bool, brains: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vesalius.training.device.has_bfloat16", lambda kind: hardware)
    told = plan("guided", brains, preset="smallest").plan.lines()
    assert any("no hardware for bfloat16" in line for line in told) is not hardware
    autocast = fabric_for("bf16-mixed").autocast()
    with autocast:
        product = torch.mm(torch.ones(2, 2), torch.ones(2, 2))
    assert product.dtype == (torch.bfloat16 if hardware else torch.float32)
    monkeypatch.setenv("VESALIUS_PRECISION", "bf16-mixed")  # as the user decides
    assert precision_here("bf16-mixed") == "bf16-mixed"


def test_a_torch_without_onednn_computes_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.ops.mkldnn", SimpleNamespace())
    assert not has_bfloat16.__wrapped__("cpu")
    monkeypatch.setattr("vesalius.training.device.has_bfloat16", has_bfloat16.__wrapped__)
    assert precision_here("bf16-mixed") == precision_here("32-true") == "32-true"
