"""Explaining answers: images from anywhere, their probabilities, and maps laid over them."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from vesalius.networks.dual_norm import Path as NormPath
from vesalius.networks.dual_norm import is_dual
from vesalius.scans.classified import Classified
from vesalius.scans.classified_layouts import read_classified, scaled_volume
from vesalius.scans.fault import Refused, make_folder
from vesalius.scans.nifti import read_nifti, write_nifti
from vesalius.scans.pictures import ENDINGS, read_picture, standard, write_picture
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.volume import Volume
from vesalius.tasks.classifier_run import TrainedClassifier
from vesalius.tasks.saliency import Method, saliency, shown

LARGEST = 512
"""Side that small pictures are enlarged to about, so that an overlay can be looked at."""
WEIGHT = 0.6


def images_at(
    place: str | Path, trained: TrainedClassifier, progress: Progress = silent
) -> Classified:
    """Images as a run sees them, with their names; what they show need not be known.

    Args:
        place: one file, a folder of pictures, or any layout that `read_classified` knows.
        trained: whose shape pictures are brought to.
        progress: told after each picture.

    Raises:
        Refused: where there is no image, or one cannot be read.
    """
    place, seen = Path(place), trained.run.fingerprint
    if place.suffix == ".npz" or (place.is_dir() and not _pictures(place)):
        return read_classified(place, side=seen.shape[0], progress=progress, labelled=False)
    files = _pictures(place) if place.is_dir() else [place]
    images, affines = [], []
    for file in followed(files, "reading pictures", len(files), progress):
        if len(seen.shape) == 2:
            images.append(standard(read_picture(file), seen.shape[0]))
        else:
            volume = read_nifti(file)
            images.append(scaled_volume(volume.voxels))
            affines.append(volume.affine)
    if len({image.shape for image in images}) > 1:
        raise Refused(place, "holds images of several shapes", "bring them to that of the run")
    names = tuple(file.name for file in files)
    unknown = np.full((len(images), len(seen.labels)), np.nan, dtype=np.float32)
    return Classified(
        np.stack(images)[:, None], unknown, seen.labels, names, names, ("",) * len(names),
        affines=np.stack(affines) if affines else None,
    )  # fmt: skip


def explain(
    trained: TrainedClassifier, place: str | Path, out: str | Path, method: Method = "gradient",
    path: NormPath = "adversarial", progress: Progress = silent,
) -> list[Path]:  # fmt: skip
    """Write an overlay of each label's map over each image; of volumes the map itself as NIfTI too.

    Args:
        trained: classifier.
        place: see `images_at`.
        out: folder.
        method: see `vesalius.tasks.saliency.saliency`.
        path: that images take where the network has two.
        progress: told after each label.
    """
    given = images_at(place, trained, progress)
    images, names = given.images, given.names
    probabilities = trained.probabilities(images)
    affines = np.tile(np.eye(4), (len(images), 1, 1)) if given.affines is None else given.affines
    folder = make_folder(out)
    written = []
    labels = followed(trained.labels, "explaining labels", len(trained.labels), progress)
    for column, label in enumerate(labels):
        maps = saliency(trained.network, images, column, method, path)
        for image, one, name, affine, chance in zip(
            images, maps, names, affines, probabilities[:, column], strict=True
        ):
            stem = f"{Path(name).name.split('.')[0]}_{label}_{round(100 * float(chance)):02d}"
            flat, heat = image[0], one
            if one.ndim == 3:
                write_nifti(Volume(one, affine), folder / f"{stem}.nii.gz", np.float32, "")
                strongest = int(one.sum(axis=(1, 2)).argmax())
                flat, heat = flat[strongest], one[strongest]
            write_picture(overlay(flat, heat), folder / f"{stem}.png")
            written.append(folder / f"{stem}.png")
    return written


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


def told_path(trained: TrainedClassifier, path: NormPath) -> str:
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
