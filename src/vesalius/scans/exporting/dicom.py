"""A cohort as DICOM series and segmentations, marked synthetic where they are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.scans.case import LabelledScan
from vesalius.scans.exporting.source import ExportCase, origin_of
from vesalius.scans.formats.itk import lps_to_ras
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress, track
from vesalius.scans.volume import Volume
from vesalius.scans.writing import make_folder, replacing

MAKER = "Vesalius"
STEPS = 2**15 - 2
"""Stored values of a slice whose intensities are no whole numbers."""

SHEARED = 1e-4
"""Cosine between two axes from which on a volume cannot be told in DICOM."""


def export_dicom(
    cases: Sequence[ExportCase], out: Path, version: str, progress: Progress = no_progress
) -> list[str]:
    """A folder a case: a series of slices a channel, and a SEG of its labels.

    Series of synthetic cases and phantoms carry `SyntheticData` (0008,001C) YES, which is said
    again in the description of series and derivation. Whole numbers are stored as they are, others
    in 32,766 steps. Identifiers follow from names, so that the same export gives the same files.

    Args:
        cases: of one or several cohorts.
        out: folder to write into.
        version: of this library.
        progress: called after each case.

    Returns:
        What the user should know.

    Raises:
        InputError: without highdicom, or for a sheared volume, which DICOM slices cannot tell.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        remedy = "pip install 'vesalius[formats]'"
        raise InputError("--as dicom", "needs highdicom", remedy) from error
    make_folder(out)
    worst = 0.0
    for one in track(cases, "exporting cases", len(cases), progress):
        scan, folder = one.read(), make_folder(out / one.case.name)
        first: list[Any] = []
        for index, channel in enumerate(one.cohort.description.channels):
            files = _series(one, scan.channels[index], index, channel, version)
            slope = float(files[0].get("RescaleSlope", 1))
            worst = max(worst, slope / 2 if slope != 1 else 0.0)
            place = make_folder(folder / f"channel_{index:04d}")
            for number, file in enumerate(files, start=1):
                with replacing(place / f"{number:04d}.dcm") as partial:
                    file.save_as(partial, enforce_file_format=True)
            first = first or files
        if isinstance(scan, LabelledScan):
            segmentation = _segmentation(one, scan.label_map, first, version)
            with replacing(folder / "labels.dcm") as partial:
                segmentation.save_as(partial)
    return [f"intensities are stored to within {worst:.3g}"] if worst else []


def _series(
    one: ExportCase, image: Volume, index: int, channel: str, version: str
) -> list[Any]:  # fmt: skip
    """Slices along the third axis, each as a file."""
    case = one.case
    lps = lps_to_ras(image.affine)
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    axes = lps[:3, :3] / sizes
    if np.abs(axes.T @ axes - np.eye(3)).max() > SHEARED:
        fault = "is sheared, which no DICOM series can tell"
        raise InputError(case.images[index], fault, "resample it")
    if 1 in image.shape[:2]:
        fault = f"has shape {image.shape}, no stack of slices"
        raise InputError(case.images[index], fault, "radiographs are not exported to DICOM")
    computed = channel.upper() in ("CT", "HU", "HOUNSFIELD")
    stored, slope, intercept = _stored(image.voxels)
    return [
        _slice(one, stored[:, :, row].T, lps, sizes, row, index, channel, computed, slope,
               intercept, version)
        for row in range(image.shape[2])
    ]  # fmt: skip


def _slice(
    one: ExportCase, pixels: np.ndarray, lps: np.ndarray, sizes: np.ndarray, row: int, index: int,
    channel: str, computed: bool, slope: float, intercept: float, version: str,
) -> Any:  # fmt: skip
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

    case, origin = one.case, origin_of(one.cohort.description, one.case)
    kind = CTImageStorage if computed else MRImageStorage
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = kind
    meta.MediaStorageSOPInstanceUID = UID(_uid(case.subject, case.name, index, row))
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SpecificCharacterSet = "ISO_IR 192"
    file.SOPClassUID, file.SOPInstanceUID = kind, meta.MediaStorageSOPInstanceUID
    _study(file, one)
    file.Modality = "CT" if computed else "MR"
    file.SeriesInstanceUID, file.SeriesNumber = _uid(case.subject, case.name, index), index + 1
    file.ImageType = ["DERIVED", "SECONDARY", "AXIAL" if computed else "OTHER"]
    file.SeriesDescription = f"{origin.upper()} {channel}".strip()[:64]
    if origin:
        file.SyntheticData = "YES"
        file.DerivationDescription = f"{origin} image made by {MAKER} {version}, of no patient"
    else:
        file.DerivationDescription = f"exported by {MAKER} {version}"
    file.Manufacturer, file.ManufacturerModelName = MAKER, MAKER
    file.SoftwareVersions, file.DeviceSerialNumber = version, "0"
    file.FrameOfReferenceUID, file.PositionReferenceIndicator = _uid(case.subject, case.name), ""
    file.Laterality = file.PatientPosition = ""
    file.InstanceNumber, file.AcquisitionNumber = row + 1, 1
    file.ImageOrientationPatient = [
        _decimal(x) for x in (*lps[:3, 0] / sizes[0], *lps[:3, 1] / sizes[1])
    ]
    file.ImagePositionPatient = [_decimal(x) for x in (lps @ [0, 0, row, 1])[:3]]
    file.PixelSpacing = [_decimal(sizes[1]), _decimal(sizes[0])]
    file.SliceThickness = file.SpacingBetweenSlices = _decimal(sizes[2])
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated = file.BitsStored = 16
    file.HighBit, file.PixelRepresentation = 15, 1
    if computed or (slope, intercept) != (1.0, 0.0):
        file.RescaleSlope, file.RescaleIntercept = _decimal(slope), _decimal(intercept)
        file.RescaleType = "HU" if computed else "US"
    if computed:
        file.KVP = file.AcquisitionNumber = None
    else:
        file.ScanningSequence, file.SequenceVariant, file.ScanOptions = "RM", "NONE", None
        file.MRAcquisitionType, file.EchoTime, file.RepetitionTime = "3D", None, None
        file.EchoTrainLength = None
    file.PixelData = np.ascontiguousarray(pixels, dtype="<i2").tobytes()
    return file


def _study(file: Any, one: ExportCase) -> None:
    """Patient and study: names are those of the cohort, which are pseudonyms already."""
    case = one.case
    file.PatientID = case.subject[:64]
    file.PatientName = f"{case.subject[:63]}^"
    file.PatientBirthDate = ""
    sex = case.categories.get("sex", "").upper()[:1]
    file.PatientSex = sex if sex in ("F", "M", "O") else ""
    file.StudyInstanceUID = _uid(case.subject, case.visit or case.name, "study")
    file.StudyDate, file.StudyTime, file.StudyID, file.AccessionNumber = "", "", "", ""
    file.ReferringPhysicianName = ""
    file.PatientIdentityRemoved = "YES"
    file.DeidentificationMethod = "Exported from a cohort under pseudonyms"


def _stored(voxels: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Voxels as int16, with the slope and intercept that bring them back."""
    low, high = float(voxels.min()), float(voxels.max())
    bounds = np.iinfo(np.int16)
    if (voxels == np.round(voxels)).all() and bounds.min <= low and high <= bounds.max:
        return voxels.astype(np.int16), 1.0, 0.0
    slope = float(f"{(high - low) / STEPS or 1.0:.10g}")
    intercept = float(f"{low:.10g}")
    return np.round((voxels - intercept) / slope).astype(np.int16), slope, intercept


def _segmentation(one: ExportCase, labels: Volume, slices: Sequence[Any], version: str) -> Any:
    """One binary segment a label, in the order of their numbers."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    synthetic = bool(origin_of(one.cohort.description, one.case))
    kind = hd.seg.SegmentAlgorithmTypeValues
    family = codes.DCM.ArtificialIntelligence
    algorithm = hd.AlgorithmIdentificationSequence(MAKER, family, version)
    held = sorted(one.cohort.description.foreground.items(), key=lambda pair: pair[1])
    present = [(name, value) for name, value in held if (labels.voxels == value).any()]
    described = [
        hd.seg.SegmentDescription(
            number, name[:64], codes.SCT.MorphologicallyAbnormalStructure
            if "lesion" in name or "tumour" in name or "nodule" in name
            else codes.SCT.AnatomicalStructure, codes.SCT.AnatomicalStructure,
            kind.AUTOMATIC if synthetic else kind.MANUAL, algorithm if synthetic else None,
        )
        for number, (name, _) in enumerate(present, start=1)
    ]  # fmt: skip
    stack = labels.voxels.transpose(2, 1, 0)
    masks = np.stack([stack == value for _, value in present], axis=-1).astype(np.uint8)
    case = one.case
    result = hd.seg.Segmentation(
        list(slices), masks, hd.seg.SegmentationTypeValues.BINARY, described,
        _uid(case.subject, case.name, "labels"), 100, _uid(case.subject, case.name, "labels", 1),
        1, MAKER, MAKER, version, "0", series_description=f"labels of {case.name}"[:64],
    )  # fmt: skip
    if synthetic:
        result.SyntheticData = "YES"
    return result


def _uid(*parts: object) -> str:
    """An identifier that follows from names (PS3.5 B.2: `2.25.` and a number of 128 bits)."""
    digest = hashlib.sha256("\n".join(map(str, parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _decimal(value: float) -> str:
    """A number in the 16 characters that a decimal string has, as exact as they allow.

    >>> _decimal(-0.123456789012345), _decimal(3.0)
    ('-0.1234567890123', '3')
    """
    for digits in range(17, 0, -1):
        text = f"{value:.{digits}g}"
        if len(text) <= 16:
            return text
    raise ValueError(f"{value} has no decimal string")
