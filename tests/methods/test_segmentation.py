"""Segmenters learn, and their predictions lie in the space of the scan."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.conftest import blobs
from vesalius.methods.segmentation.nnunet import NnunetRecipe, _split, train_and_predict
from vesalius.methods.segmentation.training import (
    PRESETS,
    SegmenterRecipe,
    TrainingScans,
    fit_segmenter,
    segment,
)
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.nifti import read_nifti
from vesalius.scans.progress import no_progress
from vesalius.scans.volume import Volume
from vesalius.training.preparation import body_sides_mm, common_shape
from vesalius.training.recipe import FitRecipe
from vesalius.training.store import Layout


def stored_scans(
    folder: Path, scans: list[LabelledScan], labels: list[int],
    spacing_mm: tuple[float, float, float],
) -> TrainingScans:  # fmt: skip
    shape = common_shape([body_sides_mm(scan.channels) for scan in scans], spacing_mm)
    layout = Layout(1, shape, len(labels))
    return TrainingScans.write(folder, "", layout, scans, labels, spacing_mm)


def test_a_segmenter_learns_a_simple_organ_in_any_axis_order(tmp_path: Path) -> None:
    cohort = blobs(tmp_path / "c", 6, "LPS")
    scans = [cohort.read(case) for case in cohort.cases]
    spacing = scans[0].label_map.oriented("RAS").spacing_mm
    training = stored_scans(tmp_path / "kept", scans[:5], [0, 3, 7], spacing)
    recipe = SegmenterRecipe(filters=(8, 16, 16), fit=FitRecipe(steps=60, batch_size=2))
    network = fit_segmenter(training, recipe, 0, "organ", tmp_path)
    found = segment(network, scans[5], training.label_numbers.tolist(), training.spacing_mm)
    truth = scans[5].label_map
    assert found.same_geometry(truth)
    assert set(np.unique(found.voxels)) <= {0, 3, 7}
    both = ((found.voxels > 0) & (truth.voxels > 0)).sum()
    assert 2 * both / ((found.voxels > 0).sum() + (truth.voxels > 0).sum()) > 0.9


class _Brightest(nn.Module):
    """Label 1 where it is bright; remembers the shape that it was shown."""

    def forward(self, image: Tensor) -> Tensor:
        self.shown = image.shape[2:]
        return torch.cat([torch.zeros_like(image), image], dim=1)


def test_a_small_scan_is_filled_up_to_what_was_learnt_and_comes_back_in_place() -> None:
    voxels = np.zeros((12, 10, 9), dtype=np.float32)
    voxels[3:8, 4:7, 3:6] = 1 + np.arange(45).reshape(5, 3, 3) % 2
    scan, network = Scan((Volume(voxels, np.eye(4)),)), _Brightest()
    alone = segment(network, scan, [0, 1], (1.0, 1.0, 1.0))
    assert network.shown == (9, 7, 7)
    filled = segment(network, scan, [0, 1], (1.0, 1.0, 1.0), (12, 6, 8))
    assert network.shown == (12, 7, 8)
    assert alone.voxels.any()
    assert np.array_equal(alone.voxels, filled.voxels)


def test_random_contrasts_keep_the_labels_and_lose_the_image(
    brains: Cohort, tmp_path: Path
) -> None:
    scans = [brains.read(case) for case in brains.cases[:3]]
    labels = list(brains.description.labels.values())
    training = stored_scans(tmp_path / "kept", scans, labels, (8.0, 8.0, 8.0))
    recipe = PRESETS["smallest"].changed(contrast="random")
    network = fit_segmenter(training, recipe, 0, "random", tmp_path)
    predicted = segment(network, scans[0], training.label_numbers.tolist(), training.spacing_mm)
    assert predicted.same_geometry(scans[0].label_map)


def test_copies_of_a_case_stay_on_one_side_and_synthetic_cases_out_of_validation() -> None:
    names = ["0-a", "1-b", "2-a", "3-c", "4-b", "5-synthetic_0001", "6-synthetic_0002"]
    fitted, watched = _split(names, held_out=0.34, seed=0)
    assert {n.split("-")[1] for n in fitted}.isdisjoint({n.split("-")[1] for n in watched})
    assert watched and not any("synthetic" in name for name in watched)


@pytest.mark.skipif(importlib.util.find_spec("nnunetv2") is None, reason="needs vesalius[nnunet]")
def test_nnunet_goes_through_planning_training_and_prediction(tmp_path: Path) -> None:
    cohort = blobs(tmp_path / "c", 5)
    names = [f"{i}-{case.name}" for i, case in enumerate(cohort.cases)]
    scans = [cohort.read(case) for case in cohort.cases]
    recipe = NnunetRecipe(
        epochs=1, iterations=1, validation_iterations=1, mirroring=False, threads=1
    )
    out = tmp_path / "predictions"
    train_and_predict(
        (names[:4], scans[:4]), (["unseen"], scans[4:]), cohort.description, recipe, False,
        tmp_path / "work", out, 0, no_progress,
    )  # fmt: skip
    found = read_nifti(out / "unseen.nii.gz")
    assert found.same_geometry(scans[4].label_map, tolerance_mm=0.01)
    split = tmp_path / "work/preprocessed/Dataset001_Vesalius/splits_final.json"
    assert "abdomen" in split.read_text()
