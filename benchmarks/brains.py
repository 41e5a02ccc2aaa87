"""How near brains of a fit are to unseen ones, without the other stages of their experiment.

    python -m benchmarks.brains REAL RUN REFERENCE --out OUT

REAL is the cohort that RUN was fitted to, REFERENCE unseen phantoms of the same kind, two for each
generated case. Writes `docs/results/brains.json` and a shuffled picture beside the documents.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
from cyclopts import App

from vesalius.anatomy.attributes import case_values
from vesalius.api.console import bars
from vesalius.evidence.audit import compare
from vesalius.evidence.control import control_figures
from vesalius.evidence.copies import CopySearch
from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.experiments.ventricles.realism import brain_realism
from vesalius.experiments.ventricles.recipe import PRESETS
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.recipe import GuidedRecipe
from vesalius.methods.guided.sampling import GuidedSampler
from vesalius.phantoms.brain import ATTRIBUTE
from vesalius.report.pictures import to_png
from vesalius.report.realism_section import shuffled_picture
from vesalius.sampling.rejection import case_requests, first_draws
from vesalius.scans.cohort import Cohort
from vesalius.training.requests import even_requests
from vesalius.training.run import Run

HERE = Path(__file__).resolve().parents[1]
app = App(help=__doc__)


@app.default
def measure(real: Path, run: Path, reference: Path, *, out: Path, preset: str = "demo") -> None:
    """Measure, and keep the figures with the documents."""
    recipe, opened = PRESETS[preset], Run.open(run, GuidedRecipe)
    cohort, unseen = Cohort.open(real), Cohort.open(reference)
    present = case_values(cohort, ATTRIBUTE, cohort.of_split("train"))
    sampler = GuidedSampler(GuidedPipeline(opened))
    unmoved = GuidedSampler(GuidedPipeline(opened, calibrated=False))
    figures: dict[str, Figure] = {}
    with bars() as progress:
        targets = even_requests({ATTRIBUTE: recipe.wanted_ml}, recipe.control_cases, recipe.seed)
        for way, own in (("once", sampler), ("unmoved", unmoved)):
            draws = first_draws(own, case_requests(opened, targets, recipe.seed), progress)
            requested, measured = np.array(
                [(one.requested[ATTRIBUTE], one.measured[ATTRIBUTE]) for one in draws]
            ).T
            found = control_figures(requested, measured, "mL")
            figures |= {f"control/{way}/{name}": figure for name, figure in found.items()}
        began = time.perf_counter()
        sampler.pipeline.image(sampler.pipeline.label_map([40.0], 0), 0)
        seconds = time.perf_counter() - began
        figures |= brain_realism(opened, unseen, present, out, recipe, progress)
        made = Cohort.open(out / "generated")
        held_out = [(cohort, case) for case in cohort.of_split("val")]
        held_out += [(unseen, case) for case in unseen.cases]
        search = CopySearch(cohort, cohort.of_split("train"), held_out, True, progress=progress)
        figures |= compare(search, [(made, case) for case in made.cases], progress).figures
    notes = {"seconds_a_case": seconds, "run": opened.name}
    Results("brains", preset, recipe.seed, True, figures, notes).write(out)
    shutil.copyfile(out / "results.json", HERE / "docs/results/brains.json")
    picture = shuffled_picture(unseen, made, ATTRIBUTE, recipe.seed)
    assert picture
    to_png(picture.source, HERE / "docs/pictures/brains.png")
    print(picture.caption)
    for name, figure in figures.items():
        print(f"{name:<60}{figure}")


if __name__ == "__main__":
    app()
