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

import vesalius as vs

place = Path(tempfile.mkdtemp())
quiet = lambda *step: None  # noqa: E731
knees = vs.phantom("knee", place / "knees", 24, side=64, progress=quiet)
run = vs.fit("progression", knees, place / "run", preset="smallest", progress=quiet)

# %%
# One picture for each time, the joint spaces measured on it, the risk.

first = knees.cases[0].images[0]
forecast = vs.forecast(
    vs.load(run), first, out=place / "forecast", years=(2.0, 4.0, 8.0), progress=quiet
)
print(*sorted(path.name for path in (place / "forecast").rglob("*")), sep="\n")
