"""Synthetic cases on the fly: those that a generation writes, whoever asks and in what order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import vesalius as vs
from vesalius.scans.cohort import Cohort
from vesalius.scans.input_error import InputError
from vesalius.training.run import Run

RANGE = {"ventricle_volume_ml": (20.0, 30.0)}


def _cases(run: Run, **settings: object) -> vs.SyntheticDataset:
    return vs.SyntheticDataset(run.folder, RANGE, length=3, tolerance=0.5, tries=30, **settings)  # type: ignore[arg-type]


def test_a_place_holds_the_case_that_a_generation_writes_there(
    small_run: Run, small_cohort: Cohort
) -> None:
    cases = _cases(small_run)
    assert len(cases) == len(small_cohort.cases) == 3
    for index in (2, 0):
        made, written = cases[index], small_cohort.read(small_cohort.cases[index])
        assert made["name"] == small_cohort.cases[index].name
        numbers = np.unique(written.label_map.voxels)
        assert np.array_equal(made["label"][0], written.label_map.voxels) and len(numbers) > 2
        image = written.channels[0].voxels
        assert np.allclose(made["image"][0], image, atol=1e-3 * float(np.ptp(image)))
        assert 10 < made["measured"]["ventricle_volume_ml"] < 45
    with pytest.raises(IndexError, match="place 3 of 3"):
        cases[3]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_make_the_same_cases(workers: int, small_run: Run) -> None:
    cases = _cases(small_run)
    batches = DataLoader(cases, batch_size=1, num_workers=workers)
    for index, batch in enumerate(batches):
        alone = cases[index]
        assert batch["name"] == [alone["name"]]
        assert torch.equal(batch["label"][0], alone["label"])
        spread = float(alone["image"].max() - alone["image"].min())
        assert torch.allclose(batch["image"][0], alone["image"], atol=1e-3 * spread)


def test_monai_gets_affines_and_torchio_a_subject(small_run: Run, small_cohort: Cohort) -> None:
    affine = small_cohort.read(small_cohort.cases[0]).channels[0].affine
    made = _cases(small_run, layout="monai")[0]
    for name in ("image", "label"):
        assert np.allclose(made[name].affine, affine)
    turned = _cases(small_run, transform=lambda one: one["image"].flip(1))[0]
    assert torch.equal(turned.flip(1), _cases(small_run)[0]["image"])
    torchio = pytest.importorskip("torchio")
    subject = _cases(small_run, layout="torchio")[0]
    assert isinstance(subject, torchio.Subject) and np.allclose(subject.image.affine, affine)


def test_what_cannot_be_generated_is_refused(
    small_run: Run, inpainting_run: Run, brains: Cohort, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="length: is missing"):
        vs.SyntheticDataset(small_run.folder, RANGE)
    with pytest.raises(InputError, match="outside the training range"):
        vs.SyntheticDataset(small_run.folder, [{"ventricle_volume_ml": 9000.0}])
    with pytest.raises(InputError, match="generates no scans of its own"):
        vs.SyntheticDataset(inpainting_run.folder, RANGE, length=1)
    with pytest.raises(InputError, match="layout: wide is unknown"):
        _cases(small_run, layout="wide")
    missed = vs.SyntheticDataset(
        small_run.folder, [{"ventricle_volume_ml": 25.0}], tolerance=1e-6, tries=1
    )
    with pytest.raises(InputError, match="missed"):
        missed[0]
    gated = _cases(small_run, cohort=brains)
    assert gated[1]["name"] == "synthetic_0001"
