"""Public data sets that are published as NIfTI, MetaImage or Analyze files, by their layout.

SPIDER (van der Graaf et al. 2024), BraTS (Menze et al. 2015; Baid et al. 2021), TotalSegmentator
(Wasserthal et al. 2023), IXI (brain-development.org), OASIS-1 (Marcus et al. 2007) and ADNI as its
archive packs NIfTI. Each was written by its published description and tried on made-up trees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from vesalius.scans.formats.table import read_table
from vesalius.scans.importing.dicom_studies import files_under
from vesalius.scans.importing.found import (
    Found,
    FoundCase,
    ImportOptions,
    Layout,
    require_cases,
)
from vesalius.scans.importing.names import column_name, label_name, safe_name
from vesalius.scans.importing.sources import ImageFile, LabelFile, MaskFiles
from vesalius.scans.importing.tables import subject_cells
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress

Cells = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class FileSet:
    """A data set of one file a channel.

    Attributes:
        title: of it.
        image: of paths within the folder; groups `subject`, `channel`, and `visit` if there is one.
        channels: what the group `channel` says, by name; the first is taken if none is chosen.
        label_map: of paths of label maps, with the groups of `image` that it has.
        labels: numbers by name.
        cells: of subjects or cases, by what the tables name them.
        split: of a subject.
        notes: what the user should know.
        together: whether all channels are taken unless others are chosen.
    """

    title: str
    image: str
    channels: Mapping[str, Sequence[str]]
    label_map: str = ""
    labels: Mapping[str, int] = field(default_factory=lambda: {"background": 0})
    cells: Callable[[Path], Cells] = lambda source: {}
    split: Callable[[str, Mapping[str, str]], str] = lambda subject, cells: ""
    notes: tuple[str, ...] = ()
    together: bool = False

    def find(self, source: Path, options: ImportOptions, progress: Progress) -> Found:
        """Cases that have every channel."""
        paths = {path.relative_to(source).as_posix(): path for path in files_under(source)}
        known = {one: name for name, codes in self.channels.items() for one in codes}
        chosen = tuple(name for name, _ in options.named_channels()) or (
            tuple(self.channels) if self.together else tuple(self.channels)[:1]
        )
        for name in chosen:
            if name not in self.channels:
                listed = ", ".join(self.channels)
                raise InputError(source, f"has no channel {name}", f"choose of {listed}")
        images: dict[tuple[str, str], dict[str, Path]] = {}
        for text, path in paths.items():
            found = re.fullmatch(self.image, text)
            if found and found["channel"] in known:
                key = found["subject"], found.groupdict().get("visit") or ""
                images.setdefault(key, {}).setdefault(known[found["channel"]], path)
        label_maps = self._label_maps(paths, known, chosen[0])
        visits = _ordinals(list(images))
        cells = self.cells(source)
        cases: list[FoundCase] = []
        left_out: list[InputProblem] = []
        for (subject, visit), own in sorted(images.items()):
            lacking = next((name for name in chosen if name not in own), None)
            if lacking is not None:
                place = str(next(iter(own.values())))
                left_out.append(InputProblem(place, f"has no {lacking}", "choose with --channel"))
                continue
            told = cells.get(f"{subject}_{visit}", cells.get(subject, {}))
            kept = {name: cell for name, cell in told.items() if name != "split"}
            turn, years = visits[subject, visit]
            kept |= {"years": years} if years else {}
            cases.append(
                FoundCase(
                    safe_name(subject, turn), safe_name(subject),
                    tuple(ImageFile(own[name]) for name in chosen),
                    label_maps.get((subject, visit)), turn, self.split(subject, told), kept,
                )
            )  # fmt: skip
        require_cases(source, cases, left_out, "point at the folder as it is published")
        return Found(self.title, chosen, self.labels, tuple(cases), tuple(left_out), self.notes)

    def _label_maps(
        self, paths: Mapping[str, Path], known: Mapping[str, str], channel: str
    ) -> dict[tuple[str, str], LabelFile]:
        result: dict[tuple[str, str], LabelFile] = {}
        for text, path in paths.items() if self.label_map else ():
            found = re.fullmatch(self.label_map, text)
            groups = found.groupdict() if found else {}
            if groups and known.get(groups.get("channel", ""), channel) == channel:
                result.setdefault((groups["subject"], groups.get("visit") or ""), LabelFile(path))
        return result


def _ordinals(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Visits and years since the first; a date becomes its number, and is not carried over."""
    result = {key: (key[1], "") for key in keys}
    dated: dict[str, list[str]] = {}
    for subject, visit in sorted(keys):
        if re.fullmatch(r"\d{4}-\d\d-\d\d", visit):
            dated.setdefault(subject, []).append(visit)
    for subject, days in dated.items():
        first = date.fromisoformat(days[0])
        for turn, day in enumerate(days, start=1):
            years = (date.fromisoformat(day) - first).days / 365.25
            result[subject, day] = (str(turn), f"{years:.3f}")
    return result


def _vertebrae() -> dict[str, int]:
    """SPIDER's labels: vertebrae and discs from below, partly visible vertebrae, the canal."""
    names = [*(f"L{n}" for n in range(5, 0, -1)), *(f"T{n}" for n in range(12, 0, -1)),
             *(f"C{n}" for n in range(7, 0, -1))]  # fmt: skip
    below = ["S1", *names]
    labels = {"background": 0, "canal": 100}
    for place, name in enumerate(names, start=1):
        labels[f"vertebra_{name}"] = place
        labels[f"partial_vertebra_{name}"] = 100 + place
        labels[f"disc_{name}-{below[place - 1]}"] = 200 + place
    return labels


def _spider_cells(source: Path) -> Cells:
    """Gradings by disc, as attributes such as `pfirrman_grade_L4-L5`."""
    path = source / "radiological_gradings.csv"
    result: dict[str, dict[str, str]] = {}
    if not path.is_file():
        return result
    levels = {
        number - 200: name.removeprefix("disc_")
        for name, number in _vertebrae().items() if number > 200
    }  # fmt: skip
    table = read_table(path, ["Patient", "IVD label"])
    for row in table:
        level = levels.get(int(row["IVD label"])) if row["IVD label"].isdigit() else None
        for column in table.columns if level else ():
            if column not in ("Patient", "IVD label"):
                name = f"{column_name(column)}_{level}"
                result.setdefault(row["Patient"], {})[name] = row[column]
    return result


def _ixi_cells(source: Path) -> Cells:
    tables = (source / f"IXI.{ending}" for ending in ("csv", "xlsx", "xls"))
    path = next((table for table in tables if table.is_file()), None)
    if path is None:
        return {}
    rows = subject_cells(path, "IXI_ID", ["AGE", "SEX_ID (1=m, 2=f)", "HEIGHT", "WEIGHT"], ",")
    sexes = {"1": "M", "2": "F"}
    return {
        f"IXI{int(number):03d}": {
            "age_years": own.get("age", ""), "height_cm": own.get("height", ""),
            "weight_kg": own.get("weight", ""), "sex": sexes.get(own.get("sex_id_1_m_2_f", ""), ""),
        }
        for number, own in rows.items() if number.isdigit()
    }  # fmt: skip


def _oasis_cells(source: Path) -> Cells:
    path = next(iter(sorted(source.glob("oasis_cross-sectional*.csv"))), None)
    rows = subject_cells(path, "ID", separator=",") if path else {}
    return {name.replace("_MR", "_"): cells for name, cells in rows.items()}


def _adni_cells(source: Path) -> Cells:
    """The table that the archive's search gives with a download."""
    for path in sorted(source.glob("*.csv")):
        head = path.open(encoding="utf-8-sig").readline()
        if "Image Data ID" in head:
            rows = subject_cells(path, "Subject", ["Group", "Sex", "Age"], ",")
            return {
                name: {"group": own.get("group", ""), "sex": own.get("sex", ""),
                       "age_years": own.get("age", "")}
                for name, own in rows.items()
            }  # fmt: skip
    return {}


def _find_totalsegmentator(source: Path, options: ImportOptions, progress: Progress) -> Found:
    """A folder a subject: `ct.nii.gz` or `mri.nii.gz`, and a file a structure."""
    wanted = {label_name(name) for name in options.labels.split(",") if name}
    cases: list[FoundCase] = []
    path = source / "meta.csv"
    cells = subject_cells(path, "image_id", separator=";") if path.is_file() else {}
    names: set[str] = set()
    kind = "ct" if any(source.glob("s*/ct.nii.gz")) else "mri"
    for image in sorted(source.glob(f"s*/{kind}.nii.gz")):
        subject, folder = image.parent.name, image.parent / "segmentations"
        masks = tuple(
            (label_name(path.name.removesuffix(".nii.gz")), path)
            for path in sorted(folder.glob("*.nii.gz"))
            if not wanted or label_name(path.name.removesuffix(".nii.gz")) in wanted
        )
        names |= {name for name, _ in masks}
        told = dict(cells.get(subject, {}))
        split = told.pop("split", "")
        cases.append(
            FoundCase(
                safe_name(subject), safe_name(subject), (ImageFile(image),),
                MaskFiles(folder, masks) if masks else None, "",
                split if split in ("train", "val", "test") else "", told,
            )
        )  # fmt: skip
    require_cases(source, cases, [], "point at the folder as it is published")
    labels = {"background": 0} | {name: n for n, name in enumerate(sorted(names), start=1)}
    channel = {"ct": "CT", "mri": "MRI"}[kind]
    return Found("TotalSegmentator", (channel,), labels, tuple(cases))


SPIDER = FileSet(
    "SPIDER", r"images/(?P<subject>\d+)_(?P<channel>t1|t2|t2_SPACE)\.mha",
    {"T2": ("t2",), "T1": ("t1",), "T2_SPACE": ("t2_SPACE",)},
    r"masks/(?P<subject>\d+)_(?P<channel>t1|t2|t2_SPACE)\.mha", _vertebrae(), _spider_cells,
    notes=("vertebrae are numbered from below, as if the lowest of each scan were L5",),
)  # fmt: skip


def _brats(subject: str, channels: Mapping[str, Sequence[str]], enhancing: int) -> FileSet:
    """BraTS, whose names and number of the enhancing tumour changed with the challenge of 2023."""
    codes = "|".join(code for own in channels.values() for code in own)
    labels = {"background": 0, "necrotic_core": 1, "oedema": 2, "enhancing_tumour": enhancing}
    place = rf"(?:.*/)?(?P<subject>{subject})/(?P=subject)[-_]"
    return FileSet(
        "BraTS", rf"{place}(?P<channel>{codes})\.nii(?:\.gz)?", channels,
        rf"{place}seg\.nii(?:\.gz)?", labels, together=True,
    )  # fmt: skip


BRATS = _brats(
    r"BraTS-[^/]+", {"T1": ("t1n",), "T1c": ("t1c",), "T2": ("t2w",), "FLAIR": ("t2f",)}, 3
)
BRATS_BEFORE_2023 = _brats(
    r"BraTS[^-/][^/]*", {"T1": ("t1",), "T1c": ("t1ce",), "T2": ("t2",), "FLAIR": ("flair",)}, 4
)
IXI = FileSet(
    "IXI", r"(?:.*/)?(?P<subject>IXI\d{3})-[A-Za-z]+-\d+-(?P<channel>T1|T2|PD|MRA)\.nii\.gz",
    {"T1": ("T1",), "T2": ("T2",), "PD": ("PD",), "MRA": ("MRA",)}, cells=_ixi_cells,
    notes=("ages and sexes come from IXI.xls, if it lies beside the images",),
)  # fmt: skip
OASIS = FileSet(
    "OASIS-1",
    r"(?:.*/)?(?P<subject>OAS1_\d{4})_MR(?P<visit>\d)/PROCESSED/MPRAGE/T88_111/"
    r"[^/]*_t88_(?P<channel>masked_gfc|gfc)\.img",
    {"T1": ("gfc",), "T1_brain": ("masked_gfc",)},
    r"(?:.*/)?(?P<subject>OAS1_\d{4})_MR(?P<visit>\d)/FSL_SEG/[^/]*_fseg\.img",
    {"background": 0, "csf": 1, "grey_matter": 2, "white_matter": 3}, _oasis_cells,
    notes=("Analyze files do not say which side is left: taken as nibabel takes them",),
)  # fmt: skip
ADNI = FileSet(
    "ADNI",
    r"(?:.*/)?(?P<subject>\d{3}_S_\d{4,5})/(?P<channel>[^/]*)/(?P<visit>\d{4}-\d\d-\d\d)_[^/]*/"
    r"[^/]+/[^/]+\.nii(?:\.gz)?",
    {"T1": ("MP-RAGE", "MPRAGE", "MP-RAGE_REPEAT", "Accelerated_Sagittal_MPRAGE",
            "Accelerated_SAG_IR-SPGR", "Sagittal_3D_Accelerated_MPRAGE")},
    cells=_adni_cells,
)  # fmt: skip


def _has(*patterns: str) -> Callable[[Path], bool]:
    return lambda source: source.is_dir() and all(any(source.glob(one)) for one in patterns)


NIFTI_SETS = (
    Layout("spider", "SPIDER", _has("images/*_t[12]*.mha", "masks"), SPIDER.find),
    Layout("totalsegmentator", "TotalSegmentator", _has("s*/*.nii.gz", "s*/segmentations"),
           _find_totalsegmentator),
    Layout("brats", "BraTS", _has("**/BraTS-*/BraTS-*.nii*"), BRATS.find),
    Layout("brats2021", "BraTS before 2023", _has("**/BraTS[!-]*/BraTS[!-]*.nii*"),
           BRATS_BEFORE_2023.find),
    Layout("ixi", "IXI", _has("**/IXI[0-9]*-*-*.nii.gz"), IXI.find),
    Layout("oasis", "OASIS-1", _has("**/OAS1_*_MR[0-9]"), OASIS.find),
    Layout("adni", "ADNI as NIfTI", _has("**/[0-9]*_S_[0-9]*/*/*/*/*.nii*"), ADNI.find),
)  # fmt: skip
