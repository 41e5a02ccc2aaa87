"""
A knee, and its next eight years
================================

Progression learns how pictures of the same patients change, and shows a patient's own picture
as it may become.
"""

# %%
# Visits of phantom knees, and a run of the smallest preset: long enough to show the calls, not
# to learn knees.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import vesalius as vs

place = Path(tempfile.mkdtemp())
quiet = lambda *step: None  # noqa: E731
knees = vs.phantom("knee", place / "knees", 24, side=64, progress=quiet)
run = vs.fit("progression", knees, place / "run", preset="smallest", progress=quiet)

# %%
# One picture for each time, the joint spaces measured on it, the risk.

first = knees.cases[0].images[0]
place_of_files = place / "forecast"
vs.forecast(vs.load(run), first, out=place_of_files, years=(2.0, 4.0, 8.0), progress=quiet)
print(*sorted(path.name for path in place_of_files.glob("*")), sep="\n")
print(next(place_of_files.glob("*.csv")).read_text())

# %%
# The picture of today and those of two, four and eight years later.

pictures = [next(place_of_files.glob("*_now.png"))]
pictures += [next(place_of_files.glob(f"*_{years}y.png")) for years in (2, 4, 8)]
figure, axes = plt.subplots(1, 4, figsize=(9, 2.6))
for axis, picture, years in zip(axes, pictures, (0, 2, 4, 8)):
    axis.imshow(plt.imread(picture), cmap="gray")
    axis.set_title(f"{years} years")
    axis.axis("off")
figure.tight_layout()
