"""What the header of a DICOM file says of its image, without its pixels."""

from __future__ import annotations

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.formats.dicom_frames import BY_FRAME, SHARED, frames_of
from vesalius.scans.input_error import InputError

MAGIC = b"DICM"
IMAGES = frozenset({"MR", "CT", "CR", "DX", "MG", "PT", "XA", "RF", "US", "NM"})
PROJECTIONS = frozenset({"CR", "DX", "MG", "XA", "RF"})
"""Modalities whose images are pictures of their own and no slices of a volume."""

_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "Modality", "StudyInstanceUID", "SeriesInstanceUID",
    "PatientID", "PatientAge", "PatientSex", "StudyDate", "SeriesDescription", "SeriesNumber",
    "ImageType", "Rows", "Columns", "ImageOrientationPatient", "ImagePositionPatient",
    "PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "SpacingBetweenSlices",
    "InstanceNumber", "NumberOfFrames", "EchoNumbers", "TemporalPositionIdentifier",
    "AcquisitionNumber", "DiffusionBValue", "TriggerTime", "BurnedInAnnotation",
    "FrameOfReferenceUID", "ViewPosition", "ImageLaterality", "Laterality", "SamplesPerPixel",
    "MagneticFieldStrength", "Manufacturer", SHARED, BY_FRAME,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """The few entries by which files are put together; nothing personal but the identity.

    Attributes:
        path: of the file.
        identity: of the patient, only ever used to make a pseudonym.
        orientation: of rows and columns, LPS, rounded; empty for pictures and multi-frame files.
        position: of the first pixel's centre, LPS, in mm.
        pixel_mm: height and width of a pixel.
        thickness_mm: between slices where the file says so, else of a slice; 0 if unknown.
        stack: what tells volumes at one place apart: echo, time, b-value, acquisition.
        parts: names of the volumes that a file of many frames holds.
    """

    path: Path
    instance: str
    sop_class: str
    modality: str
    study: str
    series: str
    identity: str
    age: str
    sex: str
    date: str
    description: str
    series_number: int
    kind: tuple[str, ...]
    rows: int
    columns: int
    orientation: tuple[float, ...]
    position: tuple[float, ...]
    pixel_mm: tuple[float, ...]
    thickness_mm: float
    number: int
    frames: int
    stack: tuple[str, ...]
    burned_in: bool
    frame_of_reference: str
    view: str
    side: str
    samples: int
    field_t: str
    manufacturer: str
    parts: tuple[str, ...] = ("",)


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM does."""
    try:
        with path.open("rb") as stream:
            stream.seek(128)
            return stream.read(4) == MAGIC
    except OSError:
        return False


def read_header(path: Path) -> DicomHeader:
    """The entries of a file.

    Raises:
        InputError: for what is no DICOM file, or is damaged.
    """
    from pydicom import dcmread

    require_file(path, sys.maxsize)
    if not is_dicom(path):
        raise InputError(path, "is no DICOM file", "leave it out")
    with refused_if_damaged(path, "has a damaged header", "export it again"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
            return _header(path, content)


def _header(path: Path, content: Any) -> DicomHeader:
    def text(name: str) -> str:
        return sys.intern(str(content.get(name) or "").strip())

    def numbers(name: str, digits: int) -> tuple[float, ...]:
        value = content.get(name)
        if value is None or value == "":
            return ()
        listed = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
        return tuple(round(float(one), digits) for one in listed)

    kind = content.get("ImageType") or ()
    between, thick = numbers("SpacingBetweenSlices", 6), numbers("SliceThickness", 6)
    names = ("EchoNumbers", "TemporalPositionIdentifier", "DiffusionBValue")
    return DicomHeader(
        path, text("SOPInstanceUID"), text("SOPClassUID"), text("Modality"),
        text("StudyInstanceUID"), text("SeriesInstanceUID"), text("PatientID"),
        text("PatientAge"), text("PatientSex"), text("StudyDate"), text("SeriesDescription"),
        int(content.get("SeriesNumber") or 0),
        tuple(map(str, [kind] if isinstance(kind, str) else kind)),
        int(content.get("Rows") or 0), int(content.get("Columns") or 0),
        numbers("ImageOrientationPatient", 5), numbers("ImagePositionPatient", 4),
        numbers("PixelSpacing", 6) or numbers("ImagerPixelSpacing", 6),
        abs((between or thick or (0.0,))[0]), int(content.get("InstanceNumber") or 0),
        int(content.get("NumberOfFrames") or 1), tuple(map(text, names)),
        text("BurnedInAnnotation") == "YES", text("FrameOfReferenceUID"), text("ViewPosition"),
        text("ImageLaterality") or text("Laterality"), int(content.get("SamplesPerPixel") or 1),
        text("MagneticFieldStrength"), text("Manufacturer"), _parts(path, content),
    )  # fmt: skip


def _parts(path: Path, content: Any) -> tuple[str, ...]:
    """Names of the volumes in a file; one where frames do not say their places."""
    if int(content.get("NumberOfFrames") or 1) < 2 or BY_FRAME not in content:
        return ("",)
    return tuple(frames.name for frames in frames_of(path, content))
