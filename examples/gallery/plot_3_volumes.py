"""
Breasts without labels
======================

Whole volumes are learnt from scans alone: blocks of voxels become a few components, diffusion
generates new ones, and a second model adds the detail that they lose.
"""

# %%
# Phantom breasts, and a fit of a few dozen steps.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import vesalius as vs

place = Path(tempfile.mkdtemp())
quiet = lambda *step: None  # noqa: E731
cohort = vs.phantom("breast", place / "breasts", 40, shape=(48, 48, 24), progress=quiet)

recipe = place / "short.yaml"
recipe.write_text(
    """
method: volumes
bottleneck: components
keep_shares: true
mirror: true
detail_widths: [16, 32]
denoiser_widths: [32, 64, 64]
fit_denoiser: {steps: 120, batch_size: 8, learning_rate: 0.002}
fit_detail: {steps: 40, batch_size: 4, learning_rate: 0.002}
least_psnr: 10.0
least_ssim: 0.0
"""
)
run = vs.fit("volumes", cohort, place / "run", recipe=recipe, progress=quiet)
model = vs.load(run)

# %%
# Above phantoms, below generated volumes.

real = [cohort.read_images(case).channels[0].voxels for case in cohort.cases[:3]]
generated = [model(seed=seed).image.voxels for seed in range(3)]
figure, axes = plt.subplots(2, 3, figsize=(7.5, 5))
for row, volumes in zip(axes, (real, generated)):
    for axis, voxels in zip(row, volumes):
        axis.imshow(voxels[:, :, voxels.shape[2] // 2].T, origin="lower", cmap="gray")
        axis.axis("off")
figure.tight_layout()
