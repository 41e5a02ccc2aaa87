"""How many planted copies the audit finds, and how many other patients it calls copies.

    python benchmarks/copies.py --out OUT

Copies of training phantoms are planted exact, shifted, mirrored, noised, in another contrast, and
changed in three ways at once; and pieces of half their sides are set into other phantoms, exact,
shifted, noised and brightened. Label maps go the way of their images. Other phantoms are clean. It
writes `docs/results/copies.json`, and the rates that are shown beside each verdict. n counts cases.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from cyclopts import App
from scipy import ndimage

from vesalius.evidence.copies import CopySearch
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import proportion
from vesalius.evidence.results import Results
from vesalius.phantoms.cohorts.organs import write_brains, write_gridded
from vesalius.scans.case import LabelledScan
from vesalius.scans.volume import Volume
from vesalius.scans.writing import write_text

Image = np.ndarray
Organ = Literal["brain", "breast", "chest"]
HERE = Path(__file__).resolve().parents[1]
TRAINING, HELD_OUT, OTHERS, PLANTS, PIECES_PLANTED = 80, 40, 60, 20, 20


def shifted(image: Image) -> Image:
    """By two to four voxels; what comes in at the border is background."""
    moved: Image = ndimage.shift(image, (4, -2, 2), order=0, cval=float(image.min()))
    return moved


def noised(image: Image, share: float = 0.1) -> Image:
    """Gaussian noise of a share of the range."""
    sd = share * float(np.ptp(np.percentile(image, [1, 99])))
    return image + np.random.default_rng(0).normal(0, sd, image.shape)


def recontrasted(image: Image) -> Image:
    """A gamma of 1.6."""
    scaled: Image = ((image - image.min()) / np.ptp(image)) ** 1.6
    return scaled


def same(image: Image) -> Image:
    """Unchanged."""
    return image


WHOLE: dict[str, tuple[Callable[[Image], Image], Callable[[Image], Image]]] = {
    "exact": (same, same),
    "shifted": (shifted, shifted),
    "mirrored": (lambda image: image[::-1].copy(), lambda image: image[::-1].copy()),
    "noised_10_percent": (noised, same),
    "noised_25_percent": (lambda image: noised(image, 0.25), same),
    "other_contrast": (recontrasted, same),
    "shifted_noised_other_contrast": (lambda image: noised(shifted(recontrasted(image))), shifted),
}
"""What is done to image and label map."""

PIECES: dict[str, Callable[[Image], Image]] = {
    "exact": same,
    "shifted": same,
    "noised_5_percent": lambda piece: noised(piece, 0.05),
    "brighter": lambda piece: 1.15 * piece + 0.1 * float(np.ptp(piece)),
}


def changed(scan: LabelledScan, image: Callable[[Image], Image], labels: Callable[[Image], Image]
            ) -> LabelledScan:  # fmt: skip
    """A scan of the same geometry with other voxels."""
    old, label_map = scan.channels[0], scan.label_map
    return LabelledScan(
        (Volume(image(old.voxels), old.affine),), Volume(labels(label_map.voxels), label_map.affine)
    )


def planted(
    host: LabelledScan, source: LabelledScan, change: str, rng: np.random.Generator
) -> LabelledScan:  # fmt: skip
    """A phantom with a piece of another near the same place; not one of a single tissue."""
    shape = host.label_map.shape
    sides = [n // 2 for n in shape]
    old = source.channels[0].voxels
    for _ in range(200):
        at = [int(rng.integers(2, n - m - 2)) for n, m in zip(shape, sides, strict=True)]
        box = tuple(slice(a, a + m) for a, m in zip(at, sides, strict=True))
        if old[box].std() > 0.5 * old.std():
            break
    if change == "shifted":
        at = [a + int(rng.integers(-2, 3)) for a in at]
    place = tuple(slice(a, a + m) for a, m in zip(at, sides, strict=True))

    def image(voxels: Image) -> Image:
        made = voxels.astype(np.float64)
        made[place] = PIECES[change](old[box])
        return made

    def labels(voxels: Image) -> Image:
        made = voxels.copy()
        made[place] = source.label_map.voxels[box]
        return made

    return changed(host, image, labels)


class Measured:
    """Which of many cases are called copies, and of the right training case."""

    def __init__(self, search: CopySearch) -> None:
        self.search, self.seconds, self.cases = search, 0.0, 0

    def called(self, scans: Sequence[LabelledScan]) -> list[str]:
        """The training case that each is called a copy of, or nothing."""
        started = time.perf_counter()
        found = [self.search.match(scan) for scan in scans]
        self.seconds += time.perf_counter() - started
        self.cases += len(scans)
        return [match.case if match else "" for match in found]


def measure(organ: Organ, folder: Path) -> tuple[dict[str, np.ndarray], float]:
    """For each kind of copy which were found, for other patients which were accused; seconds."""
    sides = {}
    for seed, (side, count) in enumerate(
        (("training", TRAINING), ("held_out", HELD_OUT), ("others", OTHERS))
    ):
        place = folder / organ / side
        if organ == "brain":
            sides[side] = write_brains(place, count, seed, 3.0)
        else:
            sides[side] = write_gridded(organ, place, count, seed, (64, 64, 64))
    training, held_out, others = (sides[side] for side in ("training", "held_out", "others"))
    pairs = [(held_out, case) for case in held_out.cases]
    search = CopySearch(training, training.cases, pairs, labelled=True)
    measured, found = Measured(search), {}
    known = [training.read(case) for case in training.cases[: max(PLANTS, PIECES_PLANTED)]]
    names = [case.name for case in training.cases]
    clean = [others.read(case) for case in others.cases]
    found["others/called_copies"] = np.array([bool(one) for one in measured.called(clean)])
    for kind, change in WHOLE.items():
        called = measured.called([changed(scan, *change) for scan in known[:PLANTS]])
        found[f"{kind}/detected"] = np.array(called) == np.array(names[:PLANTS])
    for kind in PIECES:
        rng = np.random.default_rng(0)
        made = [planted(clean[i], known[i], kind, rng) for i in range(PIECES_PLANTED)]
        found[f"piece_{kind}/detected"] = np.array([bool(one) for one in measured.called(made)])
    alone = CopySearch(training, training.cases, [], labelled=True)
    called = Measured(alone).called(clean)
    found["others/called_copies_without_held_out"] = np.array([bool(one) for one in called])
    return found, measured.seconds / measured.cases


app = App(help=__doc__)


@app.default
def main(*, out: Path, organ: list[Organ] | None = None) -> None:
    """Measure the rates on phantoms of each organ, and write them.

    Parameters
    ----------
    out: Path
        Folder of the phantoms.
    organ: list[str]
        All three without it; the files are written for all three alone.
    """
    figures: dict[str, Figure] = {}
    pooled: dict[str, list[np.ndarray]] = {}
    for one in organ or ["brain", "breast", "chest"]:
        found, seconds = measure(one, out)
        for name, cases in found.items():
            figures[f"copies/{one}/{name}"] = proportion(cases.sum(), len(cases), "cases")
            pooled.setdefault(name, []).append(cases.astype(float))
            print(f"{one:<8}{name:<50} {cases.mean():.3f}  (n = {len(cases)})", flush=True)
        figures[f"copies/{one}/seconds_per_case"] = counted(
            seconds, "s", TRAINING, "training cases", "measured once"
        )
        print(f"{one:<8}seconds a case {seconds:.3f}", flush=True)
    for name, parts in pooled.items():
        figures[f"copies/{name}"] = proportion(
            np.concatenate(parts).sum(), sum(map(len, parts)), "cases"
        )
    if organ:
        return
    notes = {
        "training_cases": TRAINING,
        "held_out_cases": HELD_OUT,
        "organs": ["brain", "breast", "chest"],
    }
    Results("copies", "", 0, True, figures, notes).write(out)
    (HERE / "docs/results/copies.json").write_bytes((out / "results.json").read_bytes())
    rates = {f"copies/{name}": figures[f"copies/{name}"].value for name in pooled}
    write_text(HERE / "src/vesalius/evidence/copies.json", json.dumps(rates, indent=2) + "\n")


if __name__ == "__main__":
    app()
