"""DICOM segmentations and structure sets as masks in the space of an image."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.draw import polygon2mask

from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.formats.itk import lps_to_ras
from vesalius.scans.input_error import InputError
from vesalius.scans.volume import Volume

OFF_PLANE = 0.5
"""Of a slice distance, by which a contour's points may leave their slice."""


@dataclass(frozen=True)
class Structures:
    """What a segmentation or structure set says of itself, without its masks.

    Attributes:
        path: of the file.
        names: of its structures.
        series: unique identifiers of the series it refers to.
        frame_of_reference: in which it lies.
    """

    path: Path
    names: tuple[str, ...]
    series: tuple[str, ...]
    frame_of_reference: str


def read_structures(path: Path) -> Structures:
    """Names and references of a DICOM SEG or RTSTRUCT file."""
    with _opened(path, pixels=False) as content:
        if content.Modality == "SEG":
            names = [str(one.SegmentLabel) for one in content.SegmentSequence]
        else:
            names = [str(one.ROIName) for one in content.StructureSetROISequence]
        frame = str(content.get("FrameOfReferenceUID") or "")
        for one in content.get("ReferencedFrameOfReferenceSequence") or ():
            frame = frame or str(one.get("FrameOfReferenceUID") or "")
        series = tuple(dict.fromkeys(_series(content)))
        return Structures(path, tuple(names), series, frame)


def structure_masks(path: Path, image: Volume) -> dict[str, np.ndarray]:
    """Masks `(X, Y, Z)` by structure in the space of an image.

    Raises:
        InputError: for a damaged file, or contours that do not follow the image's slices.
    """
    with _opened(path, pixels=True) as content:
        if content.Modality == "SEG":
            return _segments(path, content, image)
        names = {int(one.ROINumber): str(one.ROIName) for one in content.StructureSetROISequence}
        result = {}
        for one in content.get("ROIContourSequence") or ():
            name = names.get(int(one.ReferencedROINumber), "")
            contours = [
                np.array(contour.ContourData, dtype=float).reshape(-1, 3)
                for contour in one.get("ContourSequence") or ()
                if contour.ContourGeometricType == "CLOSED_PLANAR"
            ]
            result[name] = contour_mask(path, contours, image)
        return result


def contour_mask(path: Path, contours: Sequence[np.ndarray], image: Volume) -> np.ndarray:
    """What closed contours `(N, 3)`, LPS in mm, enclose; one inside another cuts a hole."""
    mask = np.zeros(image.shape, dtype=bool)
    into = np.linalg.inv(lps_to_ras(image.affine))
    for contour in contours:
        points = contour @ into[:3, :3].T + into[:3, 3]
        row = int(np.round(points[:, 2].mean()))
        if np.abs(points[:, 2] - row).max() > OFF_PLANE:
            fault = "has contours that do not lie in the slices of their image"
            raise InputError(path, fault, "export them on the image's own slices")
        if 0 <= row < image.shape[2]:
            mask[:, :, row] ^= polygon2mask(image.shape[:2], points[:, :2])
    return mask


def nearest_onto(volume: Volume, image: Volume) -> np.ndarray:
    """Voxels of one volume at those of another, the nearest of each; 0 outside."""
    if volume.shape == image.shape and volume.same_geometry(image):
        return volume.voxels
    way = np.linalg.inv(volume.affine) @ image.affine
    placed: np.ndarray = ndimage.affine_transform(
        volume.voxels,
        way[:3, :3],
        way[:3, 3],
        output_shape=image.shape,
        order=0,
        mode="grid-constant",  # "constant" loses voxels at the edge to rounding
    )
    return placed


def _segments(path: Path, content: Any, image: Volume) -> dict[str, np.ndarray]:
    try:
        import highdicom
    except ImportError as error:
        remedy = "pip install 'vesalius[formats]'"
        raise InputError(path, "needs highdicom to be read", remedy) from error
    with refused_if_damaged(path, "is no segmentation that can be placed", "export it again"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            segmentation = highdicom.seg.Segmentation.from_dataset(content, copy=False)
            volume = segmentation.get_volume(combine_segments=False, skip_overlap_checks=True)
    array = np.asarray(volume.array) > 0.5  # (slices, rows, columns, segments)
    affine = lps_to_ras(np.asarray(volume.affine)[:, [2, 1, 0, 3]])
    result: dict[str, np.ndarray] = {}
    for place, one in enumerate(content.SegmentSequence):
        voxels = array[..., place].transpose(2, 1, 0).astype(np.uint8)
        own = Volume(np.ascontiguousarray(voxels), affine)
        mask = nearest_onto(own, image) > 0
        name = str(one.SegmentLabel)
        result[name] = result[name] | mask if name in result else mask
    return result


@contextmanager
def _opened(path: Path, pixels: bool) -> Iterator[Any]:
    from pydicom import dcmread

    require_file(path, sys.maxsize)
    with refused_if_damaged(path, "is no readable segmentation", "export it again"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield dcmread(path, stop_before_pixels=not pixels)


def _series(content: Any) -> Iterator[str]:
    """Identifiers of the series that are referred to."""
    for one in content.get("ReferencedSeriesSequence") or ():
        yield str(one.SeriesInstanceUID)
    for frame in content.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            for series in study.get("RTReferencedSeriesSequence") or ():
                yield str(series.SeriesInstanceUID)
