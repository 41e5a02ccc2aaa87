"""How much faster is sampling than 1,000 ancestral steps through MONAI's own inferer?

The same weights and label maps on both sides, in one process. MONAI draws all cases in one batch,
Vesalius one by one, as it does in use:

    python benchmarks/sampling.py RUN COHORT [--cases 16]

Prints seconds a case, their ratio, and for both the Fréchet radiomics distance to other real
images, with the floor of real against real.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from cyclopts import App
from monai.inferers import DiffusionInferer
from monai.networks.schedulers import DDPMScheduler
from torch import Tensor, nn

from vesalius.evidence.fidelity import frechet_radiomics_distance, radiomics_features
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.networks.spade import one_hot
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.volume import Volume

STEPS = 1000


class ForMonai(nn.Module):
    """The image denoiser as MONAI's inferer calls it: x₀ from a sample and a whole-number step.

    The label map is read at every step, as MONAI's SPADE networks do.
    """

    def __init__(self, pipeline: GuidedPipeline, maps: Tensor) -> None:
        super().__init__()
        self.denoiser, self.maps = pipeline.model.image_denoiser, maps

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor | None = None) -> Tensor:
        level = (timesteps.float() + 1) / STEPS
        return self.denoiser(x, level, self.denoiser.network.read_labels(self.maps))


def through_monai(pipeline: GuidedPipeline, indices: Tensor, rng: torch.Generator) -> Tensor:
    """Image codes of all label maps `(N, D, H, W)` at once by 1,000 ancestral steps."""
    maps = one_hot(indices, len(pipeline.fingerprint.labels))
    scheduler = DDPMScheduler(
        num_train_timesteps=STEPS, schedule="cosine", prediction_type="sample", clip_sample=False
    )
    coarse = [side // pipeline.model.image_autoencoder.coarseness for side in maps.shape[2:]]
    start = torch.randn(len(indices), pipeline.recipe.image_code_channels, *coarse, generator=rng)
    with torch.no_grad(), pipeline.fabric.autocast():
        code = DiffusionInferer(scheduler).sample(
            start, ForMonai(pipeline, maps), scheduler, verbose=False
        )
    denoiser = pipeline.model.image_denoiser
    return code * denoiser.code_scale + denoiser.code_mean


def main(run: Path, cohort: Path, *, cases: int = 16, seed: int = 0) -> None:
    """Run both samplers on the label maps of a cohort."""
    pipeline, real = GuidedPipeline.open(run), Cohort.open(cohort)
    if pipeline.recipe.schedule != "cosine":
        raise SystemExit("the comparison is written for the cosine schedule")
    grid, numbers = pipeline.fingerprint.grid, pipeline.fingerprint.label_numbers
    placed = [grid.place(real.read(case)) for case in real.cases[: 2 * cases]]
    truth = [(scan.channels[0], scan.label_map) for scan in placed]
    used = placed[:cases]
    found = [np.searchsorted(numbers, scan.label_map.voxels).astype(np.int64) for scan in used]
    indices = torch.from_numpy(np.stack(found))
    rng = torch.Generator().manual_seed(seed)
    begin = time.perf_counter()
    theirs = through_monai(pipeline, indices, rng)
    middle = time.perf_counter()
    ours = torch.cat([pipeline.image_code(one[None], rng)[0] for one in indices])
    seconds = {"MONAI": middle - begin, "Vesalius": time.perf_counter() - middle}
    generated = {
        name: [
            (decoded(pipeline, code[None], one[None], scan, rng), scan.label_map)
            for code, one, scan in zip(codes, indices, used, strict=True)
        ]
        for name, codes in (("MONAI", theirs), ("Vesalius", ours))
    }
    features = radiomics_features(truth)
    first, second = features[:cases], features[cases:]
    print(f"floor, real against real: {frechet_radiomics_distance(first, second):.1f}")
    for name, pairs in generated.items():
        distance = frechet_radiomics_distance(second, radiomics_features(pairs))
        print(f"{name}: {seconds[name] / cases:.2f} s a case, Fréchet distance {distance:.1f}")
    print(f"ratio: {seconds['MONAI'] / seconds['Vesalius']:.0f} times faster (n = {cases})")


def decoded(
    pipeline: GuidedPipeline,
    code: Tensor,
    indices: Tensor,
    scan: LabelledScan,
    rng: torch.Generator,
) -> Volume:
    """The image of a code, generated from the decoder's distribution."""
    maps = one_hot(indices, len(pipeline.fingerprint.labels))
    with torch.no_grad(), pipeline.fabric.autocast():
        mean, std = pipeline.model.image_autoencoder.decode(code, maps)
    voxels = (mean + std * torch.randn(mean.shape, generator=rng))[0].float().numpy()
    return Volume(pipeline.fingerprint.unscaled(voxels)[0], scan.label_map.affine)


if __name__ == "__main__":
    App(default_command=main, result_action="return_value")()
