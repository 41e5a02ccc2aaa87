"""Public data sets that are published as DICOM: RSNA 2024 lumbar, LIDC-IDRI, Duke breast.

Each was written by its published description and tried on made-up trees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from skimage.draw import polygon2mask

from vesalius.scans.formats.content import read_text, refused_if_damaged
from vesalius.scans.formats.dicom_header import DicomHeader
from vesalius.scans.formats.dicom_series import DicomVolume
from vesalius.scans.formats.table import read_table
from vesalius.scans.importing.dicom_studies import Study
from vesalius.scans.importing.found import Found, ImportOptions, LabelSource, Layout
from vesalius.scans.importing.layouts.dicom import DicomSet, found_studies
from vesalius.scans.importing.tables import subject_cells
from vesalius.scans.progress import Progress
from vesalius.scans.volume import Volume

SEVERITY = {"Normal/Mild": "0", "Moderate": "1", "Severe": "2"}
DESCRIPTIONS = "train_series_descriptions.csv"
LUMBAR_CHANNEL = "T2=Sagittal T2/STIR"
AGREED = 2
"""Of the four readers of LIDC-IDRI who mark a voxel of a nodule: a consensus of half of them."""


def find_rsna_lumbar(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """RSNA 2024: a study's sagittal T2 unless another series is asked for, graded by level."""
    table = read_table(source / DESCRIPTIONS, ["series_id", "series_description"])
    names = {row["series_id"]: row["series_description"] for row in table}
    path = source / "train.csv"
    grades = subject_cells(path, "study_id", separator=",") if path.is_file() else {}

    def cells_of(study: Study) -> Mapping[str, str]:
        own = grades.get(study.identity, {})
        return {name: SEVERITY.get(cell, "") for name, cell in own.items()}

    known = DicomSet(
        "RSNA 2024 lumbar spine", lambda one: one.path.parents[1].name,
        lambda one: names.get(one.path.parent.name, ""), cells_of,
    )  # fmt: skip
    if not options.channels:
        options = replace(options, channels=(LUMBAR_CHANNEL,))
    found = found_studies(source / "train_images", options, progress, known)
    note = "grades are 0 normal or mild, 1 moderate, 2 severe; points without a size are left out"
    return replace(found, notes=(*found.notes, note))


@dataclass(frozen=True)
class NoduleReadings:
    """The XML file of one series of LIDC-IDRI (Armato et al. 2011): four readers' contours."""

    path: Path

    @property
    def place(self) -> Path:
        """The file."""
        return self.path

    def read(self, image: Volume, labels: Mapping[str, int]) -> Volume:
        """Voxels inside the outlines of at least two readers.

        An outline runs along the pixels just outside a nodule, which are none of it.
        """
        votes = np.zeros(image.shape, np.uint8)
        for reading in _children(_root(self.path), "readingSession"):
            votes += _marked(reading, image)
        agreed = (votes >= AGREED).astype(np.uint8)
        return Volume(agreed * labels["nodule"], image.affine)


def _marked(reading: ElementTree.Element, image: Volume) -> np.ndarray:
    """What one reader outlined."""
    result = np.zeros(image.shape, bool)
    for nodule in _children(reading, "unblindedReadNodule"):
        for region in _children(nodule, "roi"):
            points = np.array([
                (int(_text(edge, "xCoord")), int(_text(edge, "yCoord")))
                for edge in _children(region, "edgeMap")
            ])  # fmt: skip
            row = round((float(_text(region, "imageZposition")) - image.affine[2, 3])
                        / image.affine[2, 2])  # fmt: skip
            if len(points) < 3 or not 0 <= row < image.shape[2]:
                continue  # a single point marks a nodule under 3 mm, which has no outline
            inside = polygon2mask(image.shape[:2], points)
            inside[points[:, 0], points[:, 1]] = False
            if _text(region, "inclusion").upper() == "FALSE":
                result[:, :, row] &= ~inside
            else:
                result[:, :, row] |= inside
    return result


def find_lidc(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """LIDC-IDRI: chest CT with nodules of at least 3 mm, where half of the readers agree."""
    readings = {
        series: path
        for path in sorted(source.glob("**/LIDC-IDRI-*/**/*.xml"))
        for series in re.findall(r"<SeriesInstanceU[iI][dD]>([^<]+)<", read_text(path)[:4096])
    }

    def labels_of(volume: DicomVolume) -> LabelSource | None:
        path = readings.get(volume.first.series)
        return None if path is None else NoduleReadings(path)

    known = DicomSet("LIDC-IDRI", _folder("LIDC-IDRI-"), labels_of=labels_of, labels={"nodule": 1})
    return found_studies(source, options, progress, known)


def find_duke(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """Duke breast MRI (Saha et al. 2018): series by description; boxes and features stay out."""
    found = found_studies(
        source, options, progress, DicomSet("Duke breast MRI", _folder("Breast_MRI_"))
    )
    note = "annotation boxes and clinical features, published as spreadsheets, are not read"
    return replace(found, notes=(*found.notes, note))


def _folder(begins: str) -> Callable[[DicomHeader], str]:
    """Whose a file is, by the folder that begins so."""
    return lambda header: next((p for p in header.path.parts if p.startswith(begins)), "")


def _root(path: Path) -> ElementTree.Element:
    with refused_if_damaged(path, "is no readable XML", "copy it again"):
        return ElementTree.fromstring(read_text(path))


def _children(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    """Children by name, in whatever namespace."""
    return (one for one in element if one.tag.rpartition("}")[2] == name)


def _text(element: ElementTree.Element, name: str) -> str:
    return next((one.text or "" for one in _children(element, name)), "")


def _has_folder(begins: str) -> Callable[[Path], bool]:
    """Whether such a folder lies in a source, or one or two folders deeper."""
    patterns = [f"{level}{begins}*" for level in ("", "*/", "*/*/")]
    return lambda source: (
        source.is_dir()
        and any(path.is_dir() for pattern in patterns for path in source.glob(pattern))
    )


def _has_lumbar(source: Path) -> bool:
    return (source / DESCRIPTIONS).is_file() and (source / "train_images").is_dir()


DICOM_SETS = (
    Layout("rsna-lumbar", "RSNA 2024 lumbar spine", _has_lumbar, find_rsna_lumbar),
    Layout("lidc", "LIDC-IDRI", _has_folder("LIDC-IDRI-"), find_lidc),
    Layout("duke", "Duke breast MRI", _has_folder("Breast_MRI_"), find_duke),
)
