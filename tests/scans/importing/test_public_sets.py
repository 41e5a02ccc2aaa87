"""Public data sets on made-up trees in their published form: what comes in, whose, how labelled."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vesalius as vs
from tests.scans.importing.made_up_dicom import affine_of, write_series
from tests.scans.importing.test_layouts import image, labelled, save


def spider(folder: Path) -> None:
    for name in ("1_t1", "1_t2", "2_t2", "2_t2_SPACE"):
        save(folder / "images" / f"{name}.mha", image())
        save(folder / "masks" / f"{name}.mha", labelled(1, 100, 201, 202).astype(np.int16))
    (folder / "radiological_gradings.csv").write_text(
        "Patient,IVD label,Modic,Disc herniation,Pfirrman grade\n1,1,0,1,4\n1,2,0,0,2\n"
    )


def brats(folder: Path) -> None:
    for channel in ("t1n", "t1c", "t2w", "t2f"):
        save(folder / "BraTS-GLI-00000-000" / f"BraTS-GLI-00000-000-{channel}.nii.gz", image())
    save(folder / "BraTS-GLI-00000-000" / "BraTS-GLI-00000-000-seg.nii.gz", labelled(1, 2, 3))


def brats_2020(folder: Path) -> None:
    for channel in ("t1", "t1ce", "t2", "flair"):
        save(folder / "BraTS20_Training_001" / f"BraTS20_Training_001_{channel}.nii.gz", image())
    save(folder / "BraTS20_Training_001" / "BraTS20_Training_001_seg.nii.gz", labelled(1, 2, 4))


def totalsegmentator(folder: Path) -> None:
    for subject in ("s0000", "s0001"):
        save(folder / subject / "ct.nii.gz", image())
        for row, name in enumerate(("liver", "spleen"), start=1):
            mask = labelled(*[0] * (row - 1), 1)
            save(folder / subject / "segmentations" / f"{name}.nii.gz", mask)
    (folder / "meta.csv").write_text(
        "image_id;age;gender;institute;split\ns0000;61;m;C;train\ns0001;;f;C;test\n"
    )


def ixi(folder: Path) -> None:
    save(folder / "IXI-T1" / "IXI002-Guys-0828-T1.nii.gz", image())
    save(folder / "IXI-T2" / "IXI002-Guys-0828-T2.nii.gz", image())
    (folder / "IXI.csv").write_text(
        'IXI_ID,"SEX_ID (1=m, 2=f)",HEIGHT,WEIGHT,AGE\n2,2,164,58,35.8\n'
    )


def write_xlsx(path: Path, rows: list[list[str | float]]) -> None:
    """A workbook of one sheet with as little as the format allows."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    cells = "".join(
        "<row>" + "".join(
            f"<c><v>{cell}</v></c>" if isinstance(cell, float)
            else f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row
        ) + "</row>" for row in rows
    )  # fmt: skip
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/sheet.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="a" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Table" sheetId="1" r:id="a"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="a" Type="{office}/worksheet" Target="sheet.xml"/></Relationships>',
        "xl/sheet.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }  # fmt: skip
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)


def ixi_with_a_spreadsheet(folder: Path) -> None:
    pytest.importorskip("python_calamine")
    ixi(folder)
    (folder / "IXI.csv").unlink()
    head: list[str | float] = ["IXI_ID", "SEX_ID (1=m, 2=f)", "HEIGHT", "WEIGHT", "AGE"]
    write_xlsx(folder / "IXI.xls", [head, [2.0, 2.0, 164.0, 58.0, 35.8]])


def oasis(folder: Path) -> None:
    place = folder / "disc1" / "OAS1_0001_MR1"
    stem = "OAS1_0001_MR1_mpr_n4_anon_111_t88"
    affine = np.diag([-1.0, 1, 1, 1])
    affine[:3, 3] = [3, -3.5, -2]
    save(place / "PROCESSED" / "MPRAGE" / "T88_111" / f"{stem}_gfc.img", image(), affine)
    save(place / "PROCESSED" / "MPRAGE" / "T88_111" / f"{stem}_masked_gfc.img", image(), affine)
    segmented = labelled(1, 2, 3).astype(np.int16)
    save(place / "FSL_SEG" / f"{stem}_masked_gfc_fseg.img", segmented, affine)
    (folder / "oasis_cross-sectional.csv").write_text(
        "ID,M/F,Hand,Age,CDR\nOAS1_0001_MR1,F,R,74,0\n"
    )


def adni(folder: Path) -> None:
    for date, number in (("2006-04-18_08_20_30.0", "I13722"), ("2007-04-20_09_00_00.0", "I1")):
        place = folder / "ADNI" / "002_S_0295" / "MP-RAGE" / date / number
        save(place / f"ADNI_002_S_0295_MR_MP-RAGE_{number}.nii", image())
    (folder / "search_4_18_2024.csv").write_text(
        '"Image Data ID","Subject","Group","Sex","Age"\n"I13722","002_S_0295","CN","M","85"\n'
    )


def amos(folder: Path) -> None:
    for part, name in (("Tr", "amos_0001"), ("Va", "amos_0008")):
        save(folder / f"images{part}" / f"{name}.nii.gz", image())
        save(folder / f"labels{part}" / f"{name}.nii.gz", labelled(1, 2))
    entry = [{"image": f"./images{part}/{name}.nii.gz", "label": f"./labels{part}/{name}.nii.gz"}
             for part, name in (("Tr", "amos_0001"), ("Va", "amos_0008"))]  # fmt: skip
    (folder / "dataset.json").write_text(
        json.dumps({"modality": {"0": "CT"}, "training": entry[:1], "validation": entry[1:],
                    "labels": {"0": "background", "1": "spleen", "2": "right kidney"}})
    )  # fmt: skip


def rsna_lumbar(folder: Path) -> None:
    for series, offset in (("111", 0), ("222", 100)):
        write_series(folder / "train_images" / "4003253" / series, image() + offset, affine_of(),
                     patient="4003253", description="", study="1.2.3")  # fmt: skip
    (folder / "train_series_descriptions.csv").write_text(
        "study_id,series_id,series_description\n4003253,111,Sagittal T1\n"
        "4003253,222,Sagittal T2/STIR\n"
    )
    (folder / "train.csv").write_text(
        "study_id,spinal_canal_stenosis_l4_l5,left_neural_foraminal_narrowing_l1_l2\n"
        "4003253,Severe,Normal/Mild\n"
    )


def lidc(folder: Path) -> None:
    place = folder / "LIDC-IDRI-0001" / "study" / "series"
    affine = affine_of((1.0, 1.0, 2.5), turn=0.0)
    files = write_series(place, image(shape=(12, 12, 5)), affine, "x", "", "CT")
    from pydicom import dcmread

    series = dcmread(files[0]).SeriesInstanceUID
    square = [(x, y) for x in range(2, 8) for y in range(3, 9) if x in (2, 7) or y in (3, 8)]
    ring = sorted(square, key=lambda p: np.arctan2(p[1] - 5.5, p[0] - 4.5))
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in ring)
    outlined = (
        f"<readingSession><unblindedReadNodule><roi><imageZposition>{5 + 2.5 * 2}</imageZposition>"
        f"<inclusion>TRUE</inclusion>{edges}</roi></unblindedReadNodule></readingSession>"
    )
    small = (
        "<readingSession><unblindedReadNodule><roi><imageZposition>5</imageZposition>"
        "<inclusion>TRUE</inclusion><edgeMap><xCoord>1</xCoord><yCoord>1</yCoord></edgeMap>"
        "</roi></unblindedReadNodule></readingSession>"
    )
    (place / "069.xml").write_text(
        '<LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader><SeriesInstanceUid>'
        f"{series}</SeriesInstanceUid></ResponseHeader>{outlined * 2}{small * 2}</LidcReadMessage>"
    )


def duke(folder: Path) -> None:
    place = folder / "Breast_MRI_001" / "study" / "series"
    write_series(place, image(), affine_of(), "x", "ax dyn pre")


def mrnet(folder: Path) -> None:
    for split, name in (("train", "0000"), ("valid", "1130")):
        for plane in ("axial", "coronal", "sagittal"):
            place = folder / split / plane
            place.mkdir(parents=True)
            np.save(place / f"{name}.npy", image().astype(np.uint8))
        (folder / f"{split}-acl.csv").write_text(f"{name},1\n")


def chexpert(folder: Path) -> None:
    place = folder / "train" / "patient00001" / "study1"
    place.mkdir(parents=True)
    Image.fromarray(image(shape=(9, 7)).astype(np.uint8)).save(place / "view1_frontal.jpg")
    (folder / "train.csv").write_text(
        "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema\n"
        "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,-1.0\n"
    )


def chestxray14(folder: Path) -> None:
    (folder / "images").mkdir()
    Image.fromarray(image(shape=(9, 7)).astype(np.uint8)).save(
        folder / "images" / "00000001_000.png"
    )
    (folder / "Data_Entry_2017_v2020.csv").write_text(
        "Image Index,Finding Labels,Follow-up #,Patient ID\n"
        "00000001_000.png,Cardiomegaly|Edema,0,1\n"
    )


def crops(folder: Path) -> None:
    for date in ("20040629", "20060629"):
        picture = Image.fromarray(image(shape=(8, 8)).astype(np.uint8))
        picture.save(folder / f"9927360_02160601_{date}_l.png")
    (folder / "grades.csv").write_text("img name,kls\n9927360_02160601_20060629_l.png,3\n")


SETS: dict[Callable[[Path], None], tuple[str, dict[str, tuple[str, str, dict[str, object]]]]] = {
    spider: ("SPIDER", {"1": ("1", "", {"pfirrman_grade_L5-S1": 4, "disc_herniation_L4-L5": 0}),
                        "2": ("2", "", {})}),
    brats: ("BraTS", {"BraTS-GLI-00000-000": ("BraTS-GLI-00000-000", "", {})}),
    brats_2020: ("BraTS", {"BraTS20_Training_001": ("BraTS20_Training_001", "", {})}),
    totalsegmentator: ("TotalSegmentator", {"s0000": ("s0000", "train", {"age": 61}),
                                            "s0001": ("s0001", "test", {"gender": "f"})}),
    ixi: ("IXI", {"IXI002": ("IXI002", "", {"age_years": 35.8, "sex": "F"})}),
    ixi_with_a_spreadsheet: ("IXI", {
        "IXI002": ("IXI002", "", {"age_years": 35.8, "height_cm": 164, "sex": "F"})}),
    oasis: ("OASIS-1", {"OAS1_0001_1": ("OAS1_0001", "", {"age": 74, "m_f": "F"})}),
    adni: ("ADNI", {"002_S_0295_1": ("002_S_0295", "", {"years": 0, "group": "CN"}),
                    "002_S_0295_2": ("002_S_0295", "", {"years": 1.005})}),
    amos: ("Medical Segmentation Decathlon form", {
        "amos_0001": ("amos_0001", "", {}), "amos_0008": ("amos_0008", "val", {})}),
    rsna_lumbar: ("RSNA 2024 lumbar spine", {"4003253": ("4003253", "", {
        "spinal_canal_stenosis_l4_l5": 2, "left_neural_foraminal_narrowing_l1_l2": 0})}),
    lidc: ("LIDC-IDRI", {"LIDC-IDRI-0001": ("LIDC-IDRI-0001", "", {})}),
    duke: ("Duke breast MRI", {"Breast_MRI_001": ("Breast_MRI_001", "", {})}),
    mrnet: ("MRNet", {"0000": ("0000", "train", {"acl": 1}), "1130": ("1130", "val", {})}),
    chexpert: ("pictures with a table", {}),
    chestxray14: ("pictures with a table", {"00000001_000": ("1", "", {"edema": 1})}),
    crops: ("OAI or MOST crops", {"9927360_02160601_20060629_l": ("9927360", "", {
        "kl_grade": 3, "left": 1, "years": 1.999})}),
}  # fmt: skip


@pytest.mark.parametrize("made_up", SETS, ids=lambda one: one.__name__)
def test_a_made_up_tree_in_published_form_comes_in(made_up, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    made_up(source)
    title, wanted = SETS[made_up]
    imported = vs.import_cohort(source, tmp_path / "out")
    assert imported.found.layout == title
    cases = {case.name: case for case in imported.cohort.cases}
    for name, (subject, split, told) in wanted.items():
        case = cases[name]
        assert (case.subject, case.split) == (subject, split)
        for column, value in told.items():
            if isinstance(value, str):
                assert case.categories[column] == value
            else:
                assert case.attributes[column] == pytest.approx(value)
    assert cases and not imported.cohort.faults


def test_nodules_are_what_half_of_the_readers_outlined(tmp_path: Path) -> None:
    lidc(tmp_path / "in")
    cohort = vs.import_cohort(tmp_path / "in", tmp_path / "out").cohort
    label_map = cohort.read(cohort.cases[0]).label_map.voxels
    wanted = np.zeros((12, 12, 5))
    wanted[3:7, 4:8, 2] = 1
    np.testing.assert_array_equal(label_map, wanted)


def test_labels_of_spider_are_discs_and_vertebrae_by_level(tmp_path: Path) -> None:
    spider(tmp_path / "in")
    labels = vs.import_cohort(tmp_path / "in", tmp_path / "out").cohort.description.labels
    assert labels["vertebra_L5"] == 1 and labels["vertebra_T12"] == 6
    assert labels["disc_L5-S1"] == 201 and labels["disc_L4-L5"] == 202 and labels["canal"] == 100


@pytest.mark.parametrize(("shape", "classes"), [((6, 8, 8), 2), ((6, 5, 7, 9), 3)])
def test_medmnist_comes_in_picture_by_picture(shape, classes, tmp_path: Path) -> None:
    arrays = {}
    for seed, split in enumerate(("train", "val", "test")):
        arrays[f"{split}_images"] = image(seed, shape).astype(np.uint8)
        arrays[f"{split}_labels"] = (np.arange(shape[0]) % classes).astype(np.uint8)[:, None]
    np.savez(tmp_path / "madeup.npz", **arrays)
    cohort = vs.import_cohort(tmp_path / "madeup.npz", tmp_path / "out").cohort
    assert [sum(c.split == s for c in cohort.cases) for s in ("train", "val", "test")] == [6, 6, 6]
    case = next(case for case in cohort.cases if case.name == "madeup_test_000001")
    read = cohort.read_images(case).channels[0]
    assert sorted(read.voxels.ravel()) == sorted(arrays["test_images"][1].ravel())
    wanted = {"label_0": 1.0} if classes == 2 else {"label_0": 0, "label_1": 1, "label_2": 0}
    assert dict(case.attributes) == wanted


def test_raw_oai_is_refused_with_the_way_on(tmp_path: Path) -> None:
    place = tmp_path / "00m" / "0.C.2" / "9000099" / "20050624" / "00408203"
    place.mkdir(parents=True)
    (place / "001").write_bytes(b"")
    with pytest.raises(vs.InputError, match=r"no knee is found by itself.*; crop each knee"):
        vs.find_cohort(tmp_path)
