"""
A brain with ventricles of 100 mL
=================================

Guided synthesis learns labelled scans and generates new ones with a property that is asked for
and measured. Here it learns 24 phantom brains at 6 mm, in a fiftieth of the demo's steps.
"""

# %%
# A cohort of phantoms, and settings that differ from the demo's in a few entries.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import vesalius as vs

place = Path(tempfile.mkdtemp())
quiet = lambda *step: None  # noqa: E731
cohort = vs.phantom(
    "brain", place / "brains", 24, spacing_mm=6.0, volume_ml=(15, 110), progress=quiet
)

recipe = place / "short.yaml"
recipe.write_text(
    """
method: guided
image_autoencoder: auto
latent_widths: [32, 64]
fit_image_denoiser: {steps: 60, batch_size: 4}
fit_label_denoiser: {steps: 100, batch_size: 64, validate_every: 50, precision: 32-true}
"""
)
run = vs.fit("guided", cohort, place / "run", recipe=recipe, progress=quiet)

# %%
# A loaded run is callable. Each case holds what was asked for and what was measured on its
# label map.

model = vs.load(run)
cases = [model(ventricle_volume_ml=volume, seed=1) for volume in (25, 60, 100)]
for case in cases:
    print({name: round(value, 1) for name, value in case.measured.items()})

# %%
# The same seed, asked for three volumes: label map above, image below.

figure, axes = plt.subplots(2, 3, figsize=(7.5, 5))
for column, case in enumerate(cases):
    image, labels = case.image.voxels, case.label_map.voxels
    middle = image.shape[2] // 2
    axes[0, column].imshow(
        labels[:, :, middle].T, origin="lower", cmap="tab10", interpolation="nearest"
    )
    axes[1, column].imshow(image[:, :, middle].T, origin="lower", cmap="gray")
    axes[0, column].set_title(f"{case.measured['ventricle_volume_ml']:.0f} mL")
for axis in axes.flat:
    axis.axis("off")
figure.tight_layout()
