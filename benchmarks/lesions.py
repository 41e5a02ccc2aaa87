"""Lesions set into healthy chests, held against counterfactual truth and against pasted ones.

    python -m benchmarks.lesions COHORT RUN

COHORT is of `vesalius phantom chest`, RUN a fit of pathology inpainting on it with `--lesion
nodule`. Unseen patients are made anew, each without a nodule and with one: the same patient, the
same noise, so that the truth of every edit is known. Writes `docs/results/lesions.json` and a
picture beside the documents.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from cyclopts import App
from scipy import ndimage

from vesalius.anatomy.lesions import CONNECTED, Lesion, find_lesions
from vesalius.api.console import bars
from vesalius.evidence.control import control_figures
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import mean_figure, number_of, proportion
from vesalius.evidence.provenance import Code
from vesalius.evidence.realism import ImageSet, realism_figures
from vesalius.evidence.results import Results
from vesalius.methods.inpainting.pipeline import Edit, InpaintingPipeline
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.inpainting.sampling import FindingRequest, InpaintingSampler, edit_request
from vesalius.networks.picture_features import lite0_features
from vesalius.phantoms.chest.nodules import draw_nodule
from vesalius.phantoms.chest.phantom import LABELS, draw_chest
from vesalius.report.pictures import to_png
from vesalius.report.volumes_pictures import three_planes
from vesalius.scans.case import Case, LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.crop import cut
from vesalius.scans.grid import Grid
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, track
from vesalius.scans.volume import Volume
from vesalius.scans.writing import make_folder
from vesalius.training.run import Run

HERE = Path(__file__).resolve().parents[1]
SEED = 2027
SHOWN_VOXELS = 32
NODULE, LUNGS = LABELS["nodule"], (LABELS["lung_right"], LABELS["lung_left"])
TOLERANCE_MM, TRIES = 1.0, 10
EXAMPLES = 5
app = App(help=__doc__)


@dataclass
class Patients:
    """Crops about the nodule of unseen patients, and what was measured on each edit."""

    crops: dict[str, list[LabelledScan]] = field(default_factory=dict)
    measured: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, scan: LabelledScan, at: np.ndarray, grid: Grid) -> None:
        self.crops.setdefault(name, []).append(cut(scan, at, grid).scan)

    def note(self, name: str, value: float) -> None:
        self.measured.setdefault(name, []).append(float(value))


@app.default
def measure(cohort: Path, run: Path, *, patients: int = 192) -> None:
    """Measure, and keep the figures with the documents."""
    opened = Run.open(run, InpaintingRecipe)
    pipeline = InpaintingPipeline(opened, calibrated=True)
    training = Cohort.open(cohort)
    known = pipeline.training_range.pathology("nodule")
    with bars() as progress:
        donors = _lesions_of(training, progress)
        result = Patients()
        rng = np.random.default_rng(SEED)
        seeds = rng.integers(2**31, size=4 * patients).tolist()
        shape = training.read(training.cases[0]).label_map.shape
        for row in track(range(patients), "setting lesions in", patients, progress):
            healthy, truth, lesion = _patient(seeds, shape, (known.low, known.high))
            _one(pipeline, result, donors, healthy, truth, lesion, row, edited=row % 3 == 2)
        figures = _figures(pipeline, result, progress)
    seen = sum(known.counts.values())
    figures["lesions/training/lesions"] = counted(seen, "lesions", seen, "lesions")
    out = make_folder(run.parent / "lesions")
    notes = {"run": opened.name, "size_mm": [known.low, known.high], "seed": SEED}
    code = Code.of("vesalius.methods.inpainting.pipeline")
    Results("lesions", opened.recipe.preset, SEED, True, figures, notes, code=code).write(out)
    shutil.copyfile(out / "results.json", HERE / "docs/results/lesions.json")
    to_png(_shuffled(result, pipeline), HERE / "docs/pictures/lesions.png")
    for name, figure in figures.items():
        print(f"{name:<60}{figure}")


def _patient(
    seeds: list[int], shape: tuple[int, int, int], sizes: tuple[float, float]
) -> tuple[LabelledScan, LabelledScan, Lesion]:
    """A patient without a nodule and with one, in a lung and of a size that training has shown."""
    while True:
        seed = seeds.pop()
        nodule = draw_nodule(np.random.default_rng(seed))
        truth = draw_chest(seed, shape, [nodule])
        found = find_lesions(truth.scan.label_map, [NODULE], LUNGS)
        if len(found) != 1 or not sizes[0] <= found[0].diameter_mm <= sizes[1]:
            continue
        healthy = draw_chest(seed, shape, []).scan
        x, y, z = np.round(found[0].centre).astype(int)
        if healthy.label_map.oriented("RAS").voxels[x, y, z] == found[0].host:
            return healthy, truth.scan, found[0]


def _lesions_of(training: Cohort, progress: Progress) -> list[tuple[LabelledScan, Lesion]]:
    """Crops of the training lesions, to be pasted."""
    result = []
    for case in track(training.cases, "reading training lesions", len(training.cases), progress):
        scan = training.read(case)
        grid = _grid(scan)
        for lesion in find_lesions(scan.label_map, [NODULE], LUNGS):
            result.append((cut(scan, np.round(lesion.centre), grid).scan, lesion))
    return result


def _grid(scan: LabelledScan) -> Grid:
    """The part that is shown and compared, at the scan's own voxels."""
    upright = scan.label_map.oriented("RAS")
    affine = tuple(tuple(float(x) for x in row) for row in upright.affine)
    return Grid((SHOWN_VOXELS,) * 3, upright.spacing_mm, affine, "RAS")


def _one(
    pipeline: InpaintingPipeline, result: Patients, donors: list[tuple[LabelledScan, Lesion]],
    healthy: LabelledScan, truth: LabelledScan, lesion: Lesion, row: int, edited: bool,
) -> None:  # fmt: skip
    """The truth of one patient, or the edits of it: a reference holds nobody who was edited."""
    grid = _grid(truth)
    result.add("truth_edited" if edited else "truth", truth, lesion.centre, grid)
    if not edited:
        return
    host = {number: name for name, number in LABELS.items()}[lesion.host]
    x, y, z = (truth.label_map.oriented("RAS").affine @ [*lesion.centre, 1.0])[:3]
    request = FindingRequest("nodule", host, lesion.diameter_mm, (float(x), float(y), float(z)))
    first = pipeline.edit(healthy, request, SEED + row)
    size = pipeline.measured(first.scan, "nodule", host, healthy)
    result.add("edited", first.scan, lesion.centre, grid)
    result.note("requested", lesion.diameter_mm)
    result.note("first", size)
    result.note("outside", _changed_outside(healthy, first))
    result.note("spared", _spared(first, healthy, truth))
    result.note("spared_unedited", _spared(first, healthy, truth, unedited=True))
    _inside(result, "edited", first.scan)
    _inside(result, "truth", truth)
    pasted = _pasted(healthy, lesion, donors)
    result.add("pasted", pasted, lesion.centre, grid)
    result.note("pasted", pipeline.measured(pasted, "nodule", host, healthy))
    _inside(result, "pasted", pasted)
    result.add("unedited", healthy, lesion.centre, grid)

    sampler = InpaintingSampler(pipeline, {"x": healthy}, [], TOLERANCE_MM)
    asked = edit_request("edit", Case("x", (), None, "x"), request, SEED + row)
    try:
        pipeline.require_possible(healthy, request, "x")
    except InputError:  # nearer to the border than an edit may be asked for
        result.note("met", False)
        result.note("tries", np.nan)
        result.note("kept", np.nan)
        return
    tried = 0
    for tried, candidate in enumerate(sampler.candidates(asked), start=1):
        if candidate.met or tried == TRIES:
            break
    (kept,) = candidate.measured.values()
    result.note("met", candidate.met)
    result.note("tries", tried)
    result.note("kept", kept if candidate.met else np.nan)


def _changed_outside(healthy: LabelledScan, edit: Edit) -> int:
    """Voxels of image and label map that differ where the map is 0."""
    before, after = (
        (one.channels[0].oriented("RAS").voxels, one.label_map.oriented("RAS").voxels)
        for one in (healthy, edit.scan)
    )
    allowed = _allowed(edit, before[0].shape)
    return int(sum(((a != b) & ~allowed).sum() for a, b in zip(before, after, strict=True)))


def _allowed(edit: Edit, shape: tuple[int, ...]) -> np.ndarray:
    allowed = np.zeros(shape, dtype=bool)
    start = np.round(edit.crop.start).astype(int)
    for index in np.argwhere(edit.edit.blend > 0) + start:
        if (index >= 0).all() and (index < shape).all():
            allowed[tuple(index)] = True
    return allowed


def _spared(
    edit: Edit, healthy: LabelledScan, truth: LabelledScan, unedited: bool = False
) -> float:
    """Mean absolute error in HU inside the map, but for the lesions and what is next to them."""
    after = healthy if unedited else edit.scan
    images = [one.channels[0].oriented("RAS").voxels.astype(float) for one in (after, truth)]
    nodules = [one.label_map.oriented("RAS").voxels == NODULE for one in (edit.scan, truth)]
    near = ndimage.binary_dilation(nodules[0] | nodules[1], CONNECTED)
    counted = _allowed(edit, images[0].shape) & ~near
    return float(np.abs(images[0] - images[1])[counted].mean()) if counted.any() else np.nan


def _inside(result: Patients, name: str, scan: LabelledScan) -> None:
    """Mean of the inside of a lesion in HU, and how steep its border is in HU a voxel."""
    image = scan.channels[0].oriented("RAS").voxels.astype(float)
    own = scan.label_map.oriented("RAS").voxels == NODULE
    core = ndimage.binary_erosion(own)
    core = core if core.any() else own
    shell = ndimage.binary_dilation(own) & ~own
    result.note(f"{name}_core_hu", image[core].mean() if core.any() else np.nan)
    steep = image[own & ~core].mean() - image[shell].mean() if (own & ~core).any() else np.nan
    result.note(f"{name}_border_hu", steep)


def _pasted(
    healthy: LabelledScan, lesion: Lesion, donors: list[tuple[LabelledScan, Lesion]]
) -> LabelledScan:
    """The rival: the training lesion of the nearest size, its border feathered over one voxel."""
    crop, _ = min(donors, key=lambda one: abs(one[1].diameter_mm - lesion.diameter_mm))
    own = crop.label_map.voxels == NODULE
    parts, _ = ndimage.label(own, structure=CONNECTED)
    middle = (SHOWN_VOXELS - 1) // 2
    _, nearest = ndimage.distance_transform_edt(parts == 0, return_indices=True)
    number = parts[tuple(axis[middle, middle, middle] for axis in nearest)]
    own = parts == number
    soft = np.where(own, 1.0, np.clip(1 - 0.5 * ndimage.distance_transform_edt(~own), 0, 1))
    image = healthy.channels[0].oriented("RAS").voxels.astype(float).copy()
    labels = healthy.label_map.oriented("RAS").voxels.copy()
    start = np.round(lesion.centre).astype(int) - middle
    box, inner = [], []
    for first, side in zip(start, image.shape, strict=True):
        low, high = max(0, first), min(side, first + SHOWN_VOXELS)
        box.append(slice(low, high))
        inner.append(slice(low - first, high - first))
    share, values = soft[tuple(inner)], crop.channels[0].voxels[tuple(inner)]
    image[tuple(box)] = np.round((1 - share) * image[tuple(box)] + share * values)
    labels[tuple(box)][own[tuple(inner)]] = NODULE
    affine = healthy.label_map.oriented("RAS").affine
    return LabelledScan((Volume(image, affine),), Volume(labels, affine))


def _figures(
    pipeline: InpaintingPipeline, result: Patients, progress: Progress
) -> dict[str, Figure]:
    noted = {name: np.array(values) for name, values in result.measured.items()}
    requested, first = noted["requested"], noted["first"]
    count = len(requested)
    figures = {
        "lesions/context/changed_outside_the_map": number_of(
            int((noted["outside"] > 0).sum()), count, "edits", "edits"
        ),
        "lesions/control/met": proportion(int(noted["met"].sum()), count, "requests"),
        "lesions/control/met/mae_mm": mean_figure(
            np.abs(noted["kept"] - requested)[noted["met"] > 0], "mm", "requests met"
        ),
        "lesions/control/without_a_lesion": number_of(
            int((first == 0).sum()), count, "edits", "edits"
        ),
        "lesions/control/tries": mean_figure(
            noted["tries"][np.isfinite(noted["tries"])], "edits", "requests"
        ),
        "lesions/context/spared_mae_hu": mean_figure(
            noted["spared"][np.isfinite(noted["spared"])], "HU", "edits"
        ),
        "lesions/context/spared_mae_hu_unedited": mean_figure(
            noted["spared_unedited"][np.isfinite(noted["spared_unedited"])], "HU", "edits"
        ),
    }  # fmt: skip
    for name, sizes in (("edited", first), ("pasted", noted["pasted"])):
        for key, figure in control_figures(requested, sizes, "mm").items():
            figures[f"lesions/control/{name}/{key}"] = figure
    for name in ("truth", "edited", "pasted"):
        for what in ("core_hu", "border_hu"):
            values = noted[f"{name}_{what}"]
            figures[f"lesions/{name}/{what}"] = mean_figure(
                values[np.isfinite(values)], "HU", "lesions"
            )
    sets = {name: _images(pipeline, own) for name, own in result.crops.items()}
    reference = ImageSet(sets["truth"])
    extract = lite0_features().pooled
    for name in ("edited", "pasted", "unedited"):
        found = realism_figures(
            reference, ImageSet(sets[name]), extract, seed=SEED, progress=progress
        )
        figures |= {f"lesions/{name}/realism/{key}": one for key, one in found.items()}
    return figures


def _images(pipeline: InpaintingPipeline, crops: list[LabelledScan]) -> np.ndarray:
    return np.stack(
        [
            np.clip(pipeline.fingerprint.scaled(crop.channels[0].voxels[None])[0], 0, 1)
            for crop in crops
        ]
    ).astype(np.float32)


def _shuffled(result: Patients, pipeline: InpaintingPipeline) -> str:
    """Five real nodules and five that were set in, in an order that is printed."""
    cases = [(name, crop) for name in ("truth", "edited") for crop in result.crops[name][:EXAMPLES]]
    order = np.random.default_rng(SEED).permutation(len(cases))
    scans = [(f"{place + 1}", [cases[row][1]]) for place, row in enumerate(order)]
    real = [str(place + 1) for place, row in enumerate(order) if row < EXAMPLES]
    print("real:", ", ".join(real))
    return three_planes([scans])


if __name__ == "__main__":
    app()
