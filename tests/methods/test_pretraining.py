"""Pre-training: its tasks, what a fine-tuning takes over, and the runs that users keep."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.conftest import blobs
from vesalius.methods.pretraining.method import Pretraining
from vesalius.methods.pretraining.pipeline import pretrained_segmenter
from vesalius.methods.pretraining.training import (
    PRESETS,
    PretrainingObjective,
    PretrainingRecipe,
    coordinates,
    cropped,
)
from vesalius.methods.segmentation.labelling import scans_at, segment_scans
from vesalius.methods.segmentation.method import Segmentation
from vesalius.methods.segmentation.pipeline import SegmentationPipeline
from vesalius.methods.segmentation.recipe import SegmentationRecipe
from vesalius.methods.segmentation.training import PRESETS as SEGMENTERS
from vesalius.networks.segmenter import Segmenter
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.nifti import read_nifti
from vesalius.scans.input_error import InputError
from vesalius.training.fit import fit, prepare
from vesalius.training.recipe import FitRecipe
from vesalius.training.store import HeldStore


def test_a_rescaled_network_gives_the_same_maps() -> None:
    torch.manual_seed(0)
    trained, fresh = (Segmenter(1, 3, (4, 8, 8)).eval() for _ in range(2))
    with torch.no_grad():
        for weight in trained.parameters():
            if weight.ndim == 5:
                weight.mul_(3.0)
    lengths = [w.norm() for n, w in fresh.network.named_parameters() if "conv1.conv" in n]
    started = Segmenter(1, 3, (4, 8, 8)).eval()
    started.load_state_dict(fresh.state_dict())
    started.init_from(trained)
    x = torch.randn(1, 1, 8, 8, 8)
    with torch.no_grad():
        assert torch.allclose(started.features(x)[0], trained.features(x)[0], atol=1e-3)
    after = [w.norm() for n, w in started.network.named_parameters() if "conv1.conv" in n]
    assert torch.allclose(torch.stack(lengths), torch.stack(after))
    with pytest.raises(ValueError, match="other layers"):
        Segmenter(1, 3, (4, 4, 4)).init_from(trained)


def test_the_pretext_is_learnt_and_a_crop_knows_where_it_lay() -> None:
    x = coordinates((12, 12, 12))
    rng = torch.Generator().manual_seed(0)
    part = cropped(x, 6, rng)
    assert part.shape == (3, 6, 6, 6)
    assert torch.allclose(part[0, 1, 0, 0] - part[0, 0, 0, 0], torch.tensor(2 / 11), atol=1e-5)
    images = torch.stack([torch.sin(3 * x + i).sum(0, keepdim=True) for i in range(6)])
    recipe = PretrainingRecipe(
        filters=(4, 8, 8), crop=0, cut=0.1, turn_weight=0.1, contrast_weight=0.1,
        fit=FitRecipe(steps=1, batch_size=2),
    )  # fmt: skip
    torch.manual_seed(0)
    objective = PretrainingObjective(Segmenter(1, 2, recipe.filters), HeldStore(images), recipe)
    optimizer = torch.optim.Adam(objective.parameters(), 5e-3)
    losses = []
    for _ in range(90):
        loss = objective.loss_of(torch.arange(4), rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.7 * losses[0]
    assert all(weight.grad is not None for weight in objective.fill.parameters())


def test_pretrain_fit_segment_from_unlabelled_volumes_to_label_maps(tmp_path: Path) -> None:
    cohort = blobs(tmp_path / "labelled", 8, "LPS")
    shutil.copytree(cohort.folder, tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare/labelsTr")
    bare = Cohort.open(tmp_path / "bare", labelled=False)
    started = fit(prepare(Pretraining(), bare, PRESETS["smallest"]), tmp_path / "begun")
    _, recipe, _ = pretrained_segmenter(started.folder)
    assert recipe.spacing_mm == (3.0, 4.0, 5.0)
    own = SegmentationRecipe(preset="smallest", segmenter=SEGMENTERS["smallest"])
    ready = prepare(Segmentation(), cohort, own, pretrained=started.folder)
    assert ready.data.recipe.pretrained == started.name and ready.data.recipe.segmenter.filters == (
        4,
        8,
        8,
    )
    assert isinstance(ready.data.pretrained, nn.Module)
    trained = SegmentationPipeline(fit(ready, tmp_path / "run"))
    table = segment_scans(trained, scans_at(bare.folder)[0], tmp_path / "found").table
    lines = table.read_text().splitlines()
    assert lines[0] == "case,organ_volume_ml,tumour_volume_ml" and len(lines) == 9
    found = read_nifti(tmp_path / "found/abdomen_00.nii.gz")
    assert found.same_geometry(cohort.read(cohort.cases[0]).label_map)
    assert set(np.unique(found.voxels)) <= {0, 3, 7}
    one, _ = scans_at(bare.folder / "imagesTr/abdomen_00_0000.nii.gz")
    assert [scan.name for scan in one] == ["abdomen_00_0000"]
    with pytest.raises(InputError, match="holds no scan"):
        scans_at(tmp_path / "nowhere")


def test_too_few_volumes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 sound cases"):
        prepare(Pretraining(), blobs(tmp_path / "c", 2), PRESETS["smallest"])
