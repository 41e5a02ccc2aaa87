"""
Phantoms of every organ
=======================

A phantom is made by construction, so its truth is known exactly. Each organ has one; every
figure of this site rests on them.
"""

# %%

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np

import vesalius as vs

place = Path(tempfile.mkdtemp())
quiet = lambda *step: None  # noqa: E731
kinds = {
    "brain": {"spacing_mm": 3.0}, "spine": {"spacing_mm": (4.4, 1.25, 1.25)},
    "chest": {"shape": (96, 96, 96)}, "breast": {"shape": (96, 96, 32)}, "knee": {"side": 128},
    "radiograph": {"side": 128},
}  # fmt: skip
cohorts = {
    kind: vs.phantom(kind, place / kind, 1, progress=quiet, **settings)
    for kind, settings in kinds.items()
}

# %%
# The middle slice of each; of spines a sagittal one, of chests a coronal one.

figure, axes = plt.subplots(2, 3, figsize=(8, 5.6))
for axis, (kind, cohort) in zip(axes.flat, cohorts.items()):
    voxels = np.squeeze(nib.load(cohort.cases[0].images[0]).get_fdata())
    across = {"spine": 0, "chest": 1}.get(kind, 2)
    if voxels.ndim == 3:
        voxels = voxels.take(voxels.shape[across] // 2, axis=across)
    axis.imshow(
        voxels.T,
        origin="lower",
        cmap="gray",
        vmin=np.quantile(voxels, 0.01),
        vmax=np.quantile(voxels, 0.995),
    )
    axis.set_title(kind)
    axis.axis("off")
figure.tight_layout()
