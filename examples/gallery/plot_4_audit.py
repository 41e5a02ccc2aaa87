"""
Find a patient who was copied
=============================

The audit takes any synthetic cohort, whoever made it. Here two of twelve "synthetic" scans are
shifted, noisy copies of training patients.
"""

# %%
# Training patients, patients held out, and a cohort in which two copies hide.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np

import vesalius as vs

place = Path(tempfile.mkdtemp())
quiet = lambda *step: None  # noqa: E731
settings = {"spacing_mm": 6.0, "progress": quiet}
training = vs.phantom("brain", place / "training", 40, seed=0, **settings)
held_out = vs.phantom("brain", place / "held-out", 24, seed=1, **settings)
suspect = vs.phantom("brain", place / "suspect", 12, seed=2, **settings)

rng = np.random.default_rng(0)
for hidden, source in ((3, 17), (8, 30)):
    scan = nib.load(training.cases[source].images[0])
    voxels = np.roll(scan.get_fdata(), 1, axis=0)
    voxels += rng.normal(0, 0.05 * voxels.std(), voxels.shape)
    nib.save(
        nib.Nifti1Image(voxels.astype(np.float32), scan.affine), suspect.cases[hidden].images[0]
    )

# %%
# What the audit withholds, and whom it names as the source.

audit = vs.audit(training, suspect, holdout=held_out, out=place / "audit", progress=quiet)
print(audit.figures["memorisation/copies"])
print((place / "audit" / "withhold.csv").read_text())

# %%
# The first of them beside its source.

figure, axes = plt.subplots(1, 2, figsize=(6, 3.2))
for axis, case, title in (
    (axes[0], training.cases[17], "training patient"),
    (axes[1], suspect.cases[3], "suspect"),
):
    voxels = nib.load(case.images[0]).get_fdata()
    axis.imshow(voxels[:, :, voxels.shape[2] // 2].T, origin="lower", cmap="gray")
    axis.set_title(title)
    axis.axis("off")
figure.tight_layout()
