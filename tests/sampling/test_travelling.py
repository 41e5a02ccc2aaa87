"""A pipeline that was sent to another process draws the same there."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np

from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.sampling import GuidedSampler
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.training.run import Run


def test_guided_synthesis_travels_with_its_guidance_and_tolerance(small_run: Run) -> None:
    sampler = GuidedSampler(GuidedPipeline(small_run, guidance=2.0), tolerance=0.3)
    sent = pickle.dumps(sampler)
    assert len(sent) < 10_000  # the path of the run, not its weights
    arrived = pickle.loads(sent)
    assert arrived.tolerance == 0.3 and arrived.settings == sampler.settings
    label_map = sampler.pipeline.label_map([25.0], 3)
    there = arrived.pipeline.label_map([25.0], 3)
    assert np.array_equal(there.voxels, label_map.voxels)
    here = sampler.pipeline.image(label_map, 3).channels[0].voxels
    assert np.array_equal(arrived.pipeline.image(there, 3).channels[0].voxels, here)
    assert pickle.loads(sent).pipeline is arrived.pipeline  # loaded once


def test_inpainting_travels_with_its_method(inpainting_run: Run) -> None:
    pipeline = InpaintingPipeline(inpainting_run, "repaint", calls=3, guidance=1.5)
    arrived = pickle.loads(pickle.dumps(pipeline))
    assert arrived.chosen() == pipeline.chosen() == ("repaint", 3, 1.5, True)


def test_a_copy_that_is_set_otherwise_leaves_the_pipeline_as_it_was(small_run: Run) -> None:
    pipeline = GuidedPipeline(small_run)
    usual = pipeline.guidance
    other = pipeline.sampler(["ventricle_volume_ml"], guidance=5.0)
    again = pipeline.sampler(["ventricle_volume_ml"])
    assert (other.settings["guidance"], again.settings["guidance"]) == (5.0, usual)
    assert pipeline.guidance == usual and other.pipeline is not again.pipeline
    assert other.pipeline.model is pipeline.model  # of the same networks


def test_a_run_that_was_fitted_anew_is_loaded_anew(small_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(small_run.folder, folder)
    pipeline = GuidedPipeline.open(folder)
    first = pickle.loads(pickle.dumps(pipeline))
    assert pickle.loads(pickle.dumps(pipeline)) is first
    (folder / "image_denoiser.safetensors").touch()
    assert pickle.loads(pickle.dumps(pipeline)) is not first
