"""What is shown: items with their pictures, and the key that tells what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vesalius.readers.blinding import Cue, alike, cues, repainted, written
from vesalius.readers.design import (
    Design,
    DiagnosisDesign,
    RealismDesign,
    SaliencyDesign,
    Source,
)
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.formats.content import read_bytes, refused_if_damaged
from vesalius.scans.formats.nifti import read_nifti
from vesalius.scans.formats.raster import LARGEST_BYTES
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.volume import Volume

Ending = Literal[".nii", ".png"]
Role = Literal["image", "aid", "map"]
FEWEST_OF_EITHER = 2
"""Cases that are truly yes, and truly no, without which nothing can be told of decisions."""


@dataclass(frozen=True)
class Shown:
    """One picture of an item.

    Attributes:
        content: bytes of the file.
        ending: `.nii` or `.png`.
        role: the image itself, an aid to it, or the map of a method.
        method: of a map.
    """

    content: bytes
    ending: Ending
    role: Role
    method: str = ""


@dataclass(frozen=True)
class Item:
    """A case with what is known of it, which no reader is told.

    Attributes:
        case: its name.
        source: the cohort or folder.
        pictures: that are shown.
        truth: `real` or `synthetic`; `yes` or `no`; empty for maps.
        subject: whose it is, where that is known.
    """

    case: str
    source: str
    pictures: tuple[Shown, ...]
    truth: str
    subject: str = ""


@dataclass(frozen=True)
class Selection:
    """Items in the order of their choice, the last of them for practice.

    Attributes:
        items: that count.
        practice: that do not.
        cues: of images of two origins.
        phantoms: whether a cohort says that it was made by construction.
    """

    items: tuple[Item, ...]
    practice: tuple[Item, ...]
    cues: tuple[Cue, ...] = ()
    phantoms: bool = False


def draw_items(design: Design, progress: Progress = no_progress) -> Selection:
    """Choose cases by the seed of a design, read them, and make them alike.

    Raises:
        InputError: for a source with too few cases, or a file that cannot be read.
    """
    if isinstance(design, RealismDesign):
        return _realism(design, progress)
    if isinstance(design, SaliencyDesign):
        return _saliency(design)
    return _diagnosis(design, progress)


def _realism(design: RealismDesign, progress: Progress) -> Selection:
    rng = np.random.default_rng(design.seed)
    chosen: list[tuple[Case, Source]] = []
    spare: list[tuple[Case, Source]] = []
    phantoms = False
    for number, source in enumerate(design.sources):
        cases, of_phantoms = _cases(source.cohort, source.split)
        phantoms |= of_phantoms
        requested = source.cases
        share = design.practice // len(design.sources)
        wanted = share + (number < design.practice % len(design.sources))
        count = len(cases) - wanted if requested is None else requested
        if count < 1 or count + wanted > len(cases):
            fault = f"holds {len(cases)} cases, {count} and {wanted} for practice are asked for"
            raise InputError(source.cohort, fault, "ask for fewer")
        order = [cases[row] for row in rng.permutation(len(cases))]
        chosen += [(case, source) for case in order[:count]]
        spare += [(case, source) for case in order[count : count + wanted]]
    both = chosen + spare
    reported = [case for case, _ in both]
    images = alike(_first_channels(reported, progress), design.span)
    synthetic = [source.origin == "synthetic" for _, source in both]
    items = [
        Item(case.name, str(source.cohort), (Shown(written(image), ".nii", "image"),),
             source.origin, case.subject)
        for image, (case, source) in zip(images, both, strict=True)
    ]  # fmt: skip
    return Selection(
        tuple(items[: len(chosen)]), tuple(items[len(chosen) :]),
        tuple(cues(images, synthetic)), phantoms,
    )  # fmt: skip


def _saliency(design: SaliencyDesign) -> Selection:
    result = {name: _files(folder, (".png",)) for name, folder in design.methods.items()}
    stems = {
        name: {_stem(path): path for path in files} for name, files in result.items()
    }  # fmt: skip
    first = next(iter(stems))
    common = sorted(set.intersection(*(set(one) for one in stems.values())))
    if not common:
        fault = "shares no picture with the other methods"
        raise InputError(design.methods[first], fault, "explain the same images with each")
    count = _count(design, len(common), design.methods[first])
    rng = np.random.default_rng(design.seed)
    order = [common[row] for row in rng.permutation(len(common))]
    items = [
        Item(stem, ", ".join(str(folder) for folder in design.methods.values()), tuple(
            Shown(_repainted(stems[name][stem]), ".png", "map", name)
            for name in design.methods
        ), "")
        for stem in order[: count + design.practice]
    ]  # fmt: skip
    return Selection(tuple(items[:count]), tuple(items[count:]))


def _diagnosis(design: DiagnosisDesign, progress: Progress) -> Selection:
    cases, phantoms = _cases(design.cohort, design.split)
    names = [case.name for case in _cases(design.cohort, "")[0]]
    unknown = [case.name for case in cases if case.attributes.get(design.truth) not in (0, 1)]
    if unknown:
        fault = f"tells no {design.truth} of 0 or 1 of {unknown[0]}"
        raise InputError(design.cohort / "cases.csv", fault, "add the column, or name another")
    aids: dict[str, Path] = {}
    files = _files(design.aid, (".png", ".nii", ".nii.gz"))
    owners = [owner_of(path.name, names) for path in files]
    for case in cases:
        own = [path for path, owner in zip(files, owners, strict=True) if owner == case.name]
        if len(own) != 1:
            fault = f"holds {len(own)} pictures of {case.name}"
            raise InputError(design.aid, fault, "keep one for each case, named after it")
        aids[case.name] = own[0]
    count = _count(design, len(cases), design.cohort)
    order = _balanced(cases, design.truth, np.random.default_rng(design.seed))
    chosen = order[: count + design.practice]
    positive = sum(case.attributes[design.truth] == 1 for case in chosen[:count])
    if min(positive, count - positive) < FEWEST_OF_EITHER:
        fault = f"gives {positive} cases of {design.truth} 1 and {count - positive} of 0"
        raise InputError(design.cohort, fault, f"take {FEWEST_OF_EITHER} of either or more")
    images = alike(_first_channels(chosen, progress), design.span)
    helping = [aids[case.name] for case in chosen]
    volumes = [read_nifti(path) for path in helping if path.suffix != ".png"]
    overlays = iter(alike(volumes, design.span))
    shown = [
        Shown(_repainted(path), ".png", "aid") if path.suffix == ".png"
        else Shown(written(next(overlays)), ".nii", "aid")
        for path in helping
    ]  # fmt: skip
    items = [
        Item(case.name, str(design.cohort), (Shown(written(image), ".nii", "image"), aid),
             "yes" if case.attributes[design.truth] == 1 else "no", case.subject)
        for case, image, aid in zip(chosen, images, shown, strict=True)
    ]  # fmt: skip
    return Selection(tuple(items[:count]), tuple(items[count:]), phantoms=phantoms)


def _balanced(
    cases: Sequence[Case], truth: str, rng: np.random.Generator
) -> list[Case]:  # fmt: skip
    """Cases in an order in which yes and no take turns as long as there are both."""
    mixed = [cases[row] for row in rng.permutation(len(cases))]
    sides = [[case for case in mixed if case.attributes[truth] == value] for value in (1, 0)]
    few = min(len(side) for side in sides)
    turns = [case for pair in zip(sides[0][:few], sides[1][:few], strict=True) for case in pair]
    return turns + sides[0][few:] + sides[1][few:]


def _count(design: SaliencyDesign | DiagnosisDesign, there: int, folder: Path) -> int:
    count = there - design.practice if design.cases is None else design.cases
    if count < 1 or count + design.practice > there:
        fault = f"holds {there} cases, {count} and {design.practice} for practice are asked for"
        raise InputError(folder, fault, "ask for fewer")
    return count


def _cases(folder: Path, split: str) -> tuple[list[Case], bool]:
    """Cases of a split, and whether they are phantoms."""
    cohort = Cohort.open(folder, labelled=False)
    cases = cohort.of_split(split) if split else cohort.cases
    if not cases:
        raise InputError(folder, f"holds no case of split {split}", "name another split")
    return list(cases), cohort.description.origin == "phantom"


def _first_channels(cases: Sequence[Case], progress: Progress) -> list[Volume]:
    reported = track(cases, "reading cases", len(cases), progress)
    volumes = [read_nifti(case.images[0]) for case in reported]
    flat = [1 in volume.shape for volume in volumes]
    if any(flat) and not all(flat):
        odd = cases[flat.index(not flat[0])].images[0]
        raise InputError(odd, "is flat where others are volumes, or the other way round",
                      "make a study of each")  # fmt: skip
    return volumes


def owner_of(file: str, names: Sequence[str]) -> str:
    """The case that a file is named after: the longest name that it begins with; empty if none.

    >>> owner_of("knee_10_8y.png", ["knee_1", "knee_10"]), owner_of("knee_11.png", ["knee_1"])
    ('knee_10', '')
    """
    started = [name for name in names if file.startswith(name) and file[len(name)] in "._-"]
    return max(started, key=len, default="")


def _repainted(path: Path) -> bytes:
    with refused_if_damaged(path, "is no readable picture", "export it again"):
        return repainted(read_bytes(path, LARGEST_BYTES), path)


def _files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    if not folder.is_dir():
        raise InputError(folder, "is not a folder", "point at a folder of pictures")
    return sorted(path for path in folder.iterdir() if path.name.endswith(endings))


def _stem(path: Path) -> str:
    """Name without ending and without the percentage that `vesalius explain` puts at its end.

    >>> _stem(Path("chest_0001_nodule_87.png")), _stem(Path("chest_a.png"))
    ('chest_0001_nodule', 'chest_a')
    """
    stem = path.name.removesuffix(path.suffix)
    head, _, tail = stem.rpartition("_")
    return head if head and tail.isdigit() and len(tail) <= 3 else stem
