"""DICOM files as scanners write them, made up: MR and CT series, enhanced files, radiographs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def affine_of(
    spacing: Sequence[float] = (1.0, 1.0, 3.0), tilt: float = 0.0, turn: float = 0.3
) -> np.ndarray:
    """An oblique RAS affine for `(columns, rows, slices)`; `tilt` shears slices along rows."""
    cosine, sine = np.cos(turn), np.sin(turn)
    turned = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    steps = turned @ np.diag(spacing)
    steps[:, 2] += tilt * steps[:, 1]
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = steps, [-31.0, 17.0, 5.0]
    return LPS @ affine


def blank(sop_class: str, patient: str, study: str, series: str, date: str) -> FileDataset:
    """A file with what every file has, names and birth dates included."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    file.SOPClassUID, file.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    file.PatientID, file.PatientName, file.PatientBirthDate = patient, "Doe^Jane", "19500203"
    file.PatientSex, file.PatientAge, file.StudyDate = "F", "063Y", date
    file.StudyInstanceUID, file.SeriesInstanceUID = study, series
    file.FrameOfReferenceUID = generate_uid(entropy_srcs=[study])
    file.StudyID = file.AccessionNumber = ""
    file.StudyTime = "101500"
    file.SeriesNumber, file.InstanceNumber = 1, 1
    return file


def _pixels(file: Dataset, stored: np.ndarray) -> None:
    file.Rows, file.Columns = stored.shape[-2:]
    file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
    file.BitsAllocated = file.BitsStored = 16
    file.HighBit, file.PixelRepresentation = 15, int(stored.dtype.kind == "i")
    file.PixelData = np.ascontiguousarray(stored).tobytes()


def write_series(
    folder: Path, voxels: np.ndarray, affine: np.ndarray, patient: str = "4711",
    description: str = "t2_tse_sag", modality: str = "MR", study: str = "", date: str = "20200105",
    slope: float = 1.0, intercept: float = 0.0, padding: int | None = None,
    at: Sequence[float] | None = None, **entries: object,
) -> list[Path]:  # fmt: skip
    """Slices of stored int16 `voxels (X, Y, Z)`, one a file, in disorder; `at` moves slices."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series = study or generate_uid(), generate_uid()
    kind = MRImageStorage if modality == "MR" else CTImageStorage
    lps = LPS @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    files = []
    places = list(range(voxels.shape[2])) if at is None else at
    for number, place in enumerate(places):
        file = blank(kind, patient, study, series, date)
        file.Modality, file.SeriesDescription = modality, description
        file.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        file.InstanceNumber = voxels.shape[2] - number
        file.ImageOrientationPatient = [*lps[:3, 0] / sizes[0], *lps[:3, 1] / sizes[1]]
        file.ImagePositionPatient = list((lps @ [0, 0, place, 1])[:3])
        file.PixelSpacing, file.SliceThickness = [sizes[1], sizes[0]], sizes[2]
        file.RescaleSlope, file.RescaleIntercept = slope, intercept
        _pixels(file, voxels[:, :, number].T.astype(np.int16))
        if padding is not None:
            file.PixelPaddingValue = padding
        for name, value in entries.items():
            setattr(file, name, value)
        path = folder / f"IM{(number * 7) % 101:04d}_{series[-6:]}"
        file.save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def write_enhanced(
    path: Path, voxels: np.ndarray, affine: np.ndarray, patient: str,
    echoes: Sequence[float] = (), times: int = 1,
) -> None:  # fmt: skip
    """All slices in one file, the last first, each with its own slope.

    With echoes, each is seen once more at every echo time, 100 brighter each time, frame by frame;
    and all of that as often as there are times, which frames do not tell.
    """
    file = blank(EnhancedMRImageStorage, patient, generate_uid(), generate_uid(), "20200105")
    file.Modality, file.SeriesDescription = "MR", "t2_enhanced"
    file.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    lps = LPS @ affine
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    shared, frames = Dataset(), []
    turn, measures = Dataset(), Dataset()
    turn.ImageOrientationPatient = [*lps[:3, 0] / sizes[0], *lps[:3, 1] / sizes[1]]
    measures.PixelSpacing, measures.SliceThickness = [sizes[1], sizes[0]], sizes[2]
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Items([turn]), Items([measures])
    order = list(reversed(range(voxels.shape[2])))
    shown = [(place, echo) for _ in range(times) for place in order for echo in echoes or (0.0,)]
    for place, echo in shown:
        frame, position, values = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = list((lps @ [0, 0, place, 1])[:3])
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 2.0, place, "US"
        frame.PlanePositionSequence = Items([position])
        frame.PixelValueTransformationSequence = Items([values])
        if echoes:
            said = Dataset()
            said.EffectiveEchoTime = echo
            frame.MREchoSequence = Items([said])
        frames.append(frame)
    file.SharedFunctionalGroupsSequence = Items([shared])
    file.PerFrameFunctionalGroupsSequence = Items(frames)
    file.NumberOfFrames = len(shown)
    brighter = [100 * list(echoes or (0.0,)).index(echo) for _, echo in shown]
    stored = voxels.transpose(2, 1, 0)[[place for place, _ in shown]]
    _pixels(file, (stored + np.array(brighter)[:, None, None]).astype(np.int16))
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)


def write_radiograph(path: Path, stored: np.ndarray, patient: str, inverted: bool) -> None:
    """A radiograph, with low values dense if it is inverted."""
    study = generate_uid()
    file = blank(DigitalXRayImageStorageForPresentation, patient, study, study + ".2", "20200105")
    file.Modality, file.ViewPosition, file.ImagerPixelSpacing = "DX", "PA", [0.2, 0.1]
    _pixels(file, stored.astype(np.uint16))
    file.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)


def write_structures(
    path: Path, source: Sequence[Path], contours: dict[str, list[np.ndarray]]
) -> None:
    """A structure set of contours `(N, 3)` in LPS mm on a series."""
    from pydicom import dcmread

    first = dcmread(source[0], stop_before_pixels=True)
    file = blank("1.2.840.10008.5.1.4.1.1.481.3", first.PatientID, first.StudyInstanceUID,
                 generate_uid(), "20200105")  # fmt: skip
    file.Modality = "RTSTRUCT"
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = first.SeriesInstanceUID
    study.RTReferencedSeriesSequence = Items([series])
    frame.FrameOfReferenceUID = first.FrameOfReferenceUID
    frame.RTReferencedStudySequence = Items([study])
    file.ReferencedFrameOfReferenceSequence = Items([frame])
    rois, contour_sets = [], []
    for number, (name, own) in enumerate(contours.items(), start=1):
        roi, contoured = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        contoured.ReferencedROINumber = number
        items = []
        for points in own:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", len(
                points)  # fmt: skip
            contour.ContourData = [f"{x:.6g}" for x in points.ravel()]
            items.append(contour)
        contoured.ContourSequence = Items(items)
        rois.append(roi)
        contour_sets.append(contoured)
    file.StructureSetROISequence, file.ROIContourSequence = Items(rois), Items(contour_sets)
    file.save_as(path, enforce_file_format=True)
