"""Explaining answers: images from anywhere, their probabilities, and maps laid over them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np

from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.classification.saliency import Method, saliency, shown
from vesalius.networks.dual_norm import Path as NormPath
from vesalius.networks.dual_norm import is_dual
from vesalius.scans.classified import Classified
from vesalius.scans.classified_layouts import read_classified
from vesalius.scans.formats.nifti import read_nifti, write_nifti
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.intensity import to_unit_range
from vesalius.scans.output import digest_of, output_folder
from vesalius.scans.pictures import ENDINGS, read_picture, standard, write_picture
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.volume import Volume

LARGEST = 512
"""Side that small pictures are enlarged to about, so that an overlay can be looked at."""
WEIGHT = 0.6


def images_at(
    place: str | Path, trained: ClassificationPipeline, progress: Progress = no_progress
) -> Classified:
    """Images as a run sees them, with their names; what they show need not be known.

    Args:
        place: one file, a folder of pictures, or any layout that `read_classified` knows.
        trained: whose shape pictures are brought to.
        progress: called after each picture.

    Raises:
        InputError: where there is no image, or one cannot be read.
    """
    place, seen = Path(place), trained.run.fingerprint
    if place.suffix == ".npz" or (place.is_dir() and not _pictures(place)):
        return read_classified(place, side=seen.shape[0], progress=progress, labelled=False)
    files = _pictures(place) if place.is_dir() else [place]
    images, affines, sound = [], [], []
    faults: list[InputProblem] = []
    for file in track(files, "reading pictures", len(files), progress):
        try:
            image, affine = _image_at(file, seen.shape)
        except InputError as refusal:
            faults.append(refusal.fault)
            continue
        images.append(image)
        affines.append(affine)
        sound.append(file)
    if not sound:
        raise InputError(place, f"holds no sound image ({faults[0]})", "mend the files")
    names = tuple(file.name for file in sound)
    unknown = np.full((len(images), len(seen.labels)), np.nan, dtype=np.float32)
    return Classified(
        np.stack(images)[:, None], unknown, seen.labels, names, names, ("",) * len(names),
        affines=np.stack(affines) if len(seen.shape) == 3 else None, faults=tuple(faults),
    )  # fmt: skip


def _image_at(file: Path, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """An image of a run's shape, and the affine of a volume."""
    if len(shape) == 2:
        return standard(read_picture(file), shape[0]), np.eye(4)
    volume = read_nifti(file)
    if volume.shape != shape:
        fault = f"has shape {volume.shape}, the run's {shape}"
        raise InputError(file, fault, "resample it to the shape of the run")
    return to_unit_range(volume.voxels), volume.affine


def explain(
    trained: ClassificationPipeline, given: Classified, out: str | Path,
    method: Method = "gradient", path: NormPath = "adversarial", progress: Progress = no_progress,
    inputs: tuple[Path, ...] = (),
) -> list[Path]:  # fmt: skip
    """Write an overlay of each label's map over each image; of volumes the map itself as NIfTI too.

    Args:
        trained: classifier.
        given: see `images_at`.
        out: folder, new or of the same run, method and path.
        method: see `vesalius.methods.classification.saliency.saliency`.
        path: that images take where the network has two.
        progress: called after each label.
        inputs: that must not be touched.
    """
    images, names = given.images, given.names
    probabilities = trained.probabilities(images)
    affines = np.tile(np.eye(4), (len(images), 1, 1)) if given.affines is None else given.affines
    made = {
        "command": "explain", "run": trained.run.name, "method": method, "path": path,
        "images": digest_of(inputs[-1]) if inputs else "",
    }  # fmt: skip
    stems = [_stem(name) for name in names]
    double = next((stem for stem, count in Counter(stems).items() if count > 1), None)
    if double is not None:
        raise InputError(out, f"would hold two images named {double}", "rename one of them")
    written = []
    labels = track(trained.labels, "explaining labels", len(trained.labels), progress)
    with output_folder(out, made, inputs) as folder:
        for column, label in enumerate(labels):
            maps = saliency(trained.network, images, column, method, path)
            for image, one, name, affine, rng in zip(
                images, maps, stems, affines, probabilities[:, column], strict=True
            ):
                stem = f"{name}_{_stem(label)}_{round(100 * float(rng)):02d}"
                flat, heat = image[0], one
                if one.ndim == 3:
                    write_nifti(Volume(one, affine), folder / f"{stem}.nii.gz", np.float32, "")
                    strongest = int(one.sum(axis=(1, 2)).argmax())
                    flat, heat = flat[strongest], one[strongest]
                write_picture(overlay(flat, heat), folder / f"{stem}.png")
                written.append(folder / f"{stem}.png")
    return written


def _stem(name: str) -> str:
    """A name as part of a file's: without the ending of an image, and without separators.

    >>> _stem("train/patient1/view.jpg"), _stem("1.2.840.7.dcm"), _stem("scan.nii.gz")
    ('view', '1.2.840.7', 'scan')
    """
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    ending = next(
        (e for e in (".nii.gz", *ENDINGS, ".dcm", ".nii") if last.lower().endswith(e)), ""
    )
    return last[: len(last) - len(ending)] or "_"


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture `(H, W)` in grey with a map over it in colour, and beside it without, `(H, 2W, 3)`.

    >>> overlay(np.zeros((8, 8)), np.ones((8, 8))).shape
    (512, 1024, 3)
    """
    times = max(1, LARGEST // max(image.shape))
    grey = np.repeat(np.kron(image, np.ones((times, times)))[..., None], 3, axis=2)
    strength = np.kron(shown(heat), np.ones((times, times)))[..., None]
    colour = matplotlib.colormaps["inferno"](strength[..., 0])[..., :3]
    mixed = grey * (1 - WEIGHT * strength) + WEIGHT * strength * colour
    both: np.ndarray = np.concatenate([grey, mixed], axis=1)
    return both


def path_caption(trained: ClassificationPipeline, path: NormPath) -> str:
    """What the maps explain, in words."""
    if not is_dual(trained.network):
        return "maps of the network that answers"
    if path == "adversarial":
        return "maps of the adversarial path, which answers a little worse than the clean one"
    return "maps of the clean path, which answers"


def _pictures(folder: Path) -> list[Path]:
    """Pictures that lie in a folder itself, if it is of no known layout."""
    known = ("dataset.json", "labels.csv", "train.csv")
    if any((folder / name).is_file() for name in known):
        return []
    endings = (*ENDINGS, ".dcm", ".nii", ".nii.gz")
    return sorted(p for p in folder.iterdir() if p.name.lower().endswith(endings))
