"""How near whole volumes of a fit are to unseen ones, and which of its stages loses what.

    python -m benchmarks.whole_volumes breast FOLDER

FOLDER is that of `vesalius experiment volumes`, as far as its volumes are generated. Writes
`docs/results/breasts.json` or `chests.json`, and a shuffled picture beside the documents.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from cyclopts import App

from vesalius.api.console import bars
from vesalius.evidence.audit import compare
from vesalius.evidence.copies import CopySearch
from vesalius.evidence.figure import Figure
from vesalius.evidence.frechet import Extractor
from vesalius.evidence.intervals import jackknifed
from vesalius.evidence.provenance import Code
from vesalius.evidence.realism import ImageSet, distance_of_planes, realism_figures
from vesalius.evidence.results import Results
from vesalius.evidence.spectrum import power_ratios
from vesalius.experiments.volumes.fidelity import EvaluationSet
from vesalius.experiments.volumes.recipe import PRESETS, Organ
from vesalius.methods.volumes.pipeline import VolumesPipeline
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.networks.picture_features import lite0_features
from vesalius.report.pictures import to_png
from vesalius.report.realism_section import SHUFFLED
from vesalius.report.volumes_pictures import three_planes
from vesalius.scans.cohort import Cohort
from vesalius.scans.writing import make_folder
from vesalius.training.run import Run

HERE = Path(__file__).resolve().parents[1]
app = App(help=__doc__)


@app.default
def measure(organ: Organ, folder: Path, *, preset: str = "demo") -> None:
    """Measure, and keep the figures with the documents."""
    recipe, own = PRESETS[preset].changed(seed=Results.read(folder).seed), folder / organ
    run = Run.open(own / "run", VolumesRecipe)
    real, unseen = Cohort.open(own / "real", False), Cohort.open(own / "unseen", False)
    made = Cohort.open(own / "generated", False)
    extract, pipeline = lite0_features().pooled, VolumesPipeline(run)
    with bars() as progress:
        sets = [
            EvaluationSet(cohort, run.fingerprint, count, name, progress)
            for cohort, count, name in ((unseen, len(unseen.cases), "unseen volumes"),
                                        (made, len(unseen.cases) // 2, "generated volumes"))
        ]  # fmt: skip
        found = realism_figures(
            ImageSet(sets[0].scaled), ImageSet(sets[1].scaled), extract, seed=recipe.seed,
            recipe=recipe.judge, progress=progress,
        )  # fmt: skip
        figures = {f"{organ}/realism/{name}": figure for name, figure in found.items()}
        for stage, how in (("codes", pipeline.of_codes_alone()), ("codes_and_detail", pipeline)):
            lost = _lost(sets[0], how, extract)
            figures |= {
                f"{organ}/realism/through_{stage}/{name}": one for name, one in lost.items()
            }
        fitted = set(json.loads((run.folder / "split.json").read_text())["fitted"])
        training = [case for case in real.cases if case.name in fitted]
        held_out = [(real, case) for case in real.cases if case.name not in fitted]
        held_out += [(unseen, case) for case in unseen.cases]
        search = CopySearch(real, training, held_out, False, progress=progress)
        figures |= compare(search, [(made, case) for case in made.cases], progress).figures
    out = make_folder(folder / f"{organ}s")
    notes = {"run": run.name, "organ": organ}
    code = Code.of("vesalius.experiments.volumes.experiment")
    Results(f"{organ}s", preset, recipe.seed, True, figures, notes, code=code).write(out)
    shutil.copyfile(out / "results.json", HERE / f"docs/results/{organ}s.json")
    to_png(_shuffled(unseen, made, recipe.seed), HERE / f"docs/pictures/{organ}s.png")
    for name, figure in figures.items():
        print(f"{name:<60}{figure}")


def _lost(
    unseen: EvaluationSet, pipeline: VolumesPipeline, extract: Extractor
) -> dict[str, Figure]:  # fmt: skip
    """How far real volumes are from others once they went through a pipeline's codes."""
    half = len(unseen.scaled) // 2
    reference, other = (ImageSet(unseen.scaled[part]) for part in (slice(half), slice(half, None)))
    back = ImageSet(unseen.reconstructed(pipeline).scaled)
    seen = [one.features(extract) for one in (reference, other, back)]

    def ratio(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> float:
        return distance_of_planes(first, third) / distance_of_planes(first, second)

    return {
        "frechet_ratio": jackknifed(seen, ratio, "", "subjects", bounds=(0.0, np.inf)),
        "power_ratio": power_ratios(reference.power({}), back.power({}))["whole"],
    }


def _shuffled(unseen: Cohort, made: Cohort, seed: int) -> str:
    """Five unseen and five generated volumes in an order that is printed."""
    cases = [(one, case) for one in (unseen, made) for case in one.cases[:SHUFFLED]]
    order = np.random.default_rng(seed).permutation(len(cases))
    scans = [
        (f"{place + 1}", [cases[row][0].read_images(cases[row][1])])
        for place, row in enumerate(order)
    ]
    print("real:", ", ".join(str(place + 1) for place, row in enumerate(order) if row < SHUFFLED))
    return three_planes([scans])


if __name__ == "__main__":
    app()
