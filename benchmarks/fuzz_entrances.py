"""Where files and words of users come in: how each is prepared, damaged, and let in."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from fastapi.testclient import TestClient
from PIL import Image
from torch import nn

from benchmarks.mutations import (
    CELLS,
    JUNK,
    Mutation,
    Rng,
    bytes_mutated,
    json_mutated,
    table_mutated,
    text_mutated,
)
from vesalius.cli import main as command_line
from vesalius.evidence.results import Results
from vesalius.experiments.stages import Stages
from vesalius.methods import method_of
from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.recipe import GuidedRecipe
from vesalius.methods.inpainting.pipeline import InpaintingPipeline
from vesalius.methods.inpainting.recipe import InpaintingRecipe
from vesalius.methods.pretraining.pipeline import pretrained_segmenter
from vesalius.methods.progression.prognosis import ProgressionPipeline
from vesalius.methods.segmentation.pipeline import SegmentationPipeline
from vesalius.methods.volumes.method import reconstruction_of
from vesalius.methods.volumes.pipeline import VolumesPipeline
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.networks.weights import read_tensors, write_tensors
from vesalius.readers.answers.store import Store, now
from vesalius.readers.design import read_design
from vesalius.readers.exporting import collect
from vesalius.readers.results.readings import raw_table, readings_of
from vesalius.readers.serving.app import create_app
from vesalius.readers.study import Study
from vesalius.report.sources import results_if_there, table_if_there
from vesalius.sampling.cohort import _remembered
from vesalius.scans.check import check_cohort
from vesalius.scans.classified_layouts import read_classified
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.landmarks import read_landmarks
from vesalius.scans.output import output_folder
from vesalius.scans.pictures import read_picture, standard
from vesalius.scans.visit_layouts import read_visits
from vesalius.serving.limits import RequestLimit
from vesalius.training.loop import _State
from vesalius.training.recipe import FitRecipe
from vesalius.training.run import Log, Run

WHICH = ".which"
"""Keeps what was damaged of an input that has several parts."""


@dataclass(frozen=True)
class Reported:
    """What an entrance listed, and how many cases it found sound, if it counts them."""

    faults: Sequence[InputProblem] = ()
    sound: int | None = None


class Broken(Exception):
    """What an entrance answered breaks the contract, though nothing was raised."""


@dataclass(frozen=True)
class Entrance:
    """One way in.

    Attributes:
        name: of it.
        share: of a campaign's inputs.
        prepare: puts sound files, made from those that are kept, into a folder.
        damage: damages a copy of them; returns how many cases must still be found sound, if that
            can be told.
        enter: lets them in, and returns the faults that were listed, with how many cases were
            found sound, or raises a refusal. May write into its second folder.
        writes_input: whether the command is one that changes what it is given.
    """

    name: str
    share: float
    prepare: Callable[[Path, Path], None]
    damage: Callable[[Path, Rng], int | None]
    enter: Callable[[Path, Path, Rng], Reported]
    writes_input: bool = False


def _copied(name: str) -> Callable[[Path, Path], None]:
    def prepare(kept: Path, place: Path) -> None:
        shutil.copytree(kept / name, place, dirs_exist_ok=True)

    return prepare


def _one_of(pattern: str, mutation: Mutation, rest: int | None = None) -> Callable[..., int | None]:
    """Damage of one file among those of a pattern."""

    def damage(place: Path, rng: Rng) -> int | None:
        files = sorted(place.glob(pattern))
        file = files[int(rng.integers(0, len(files)))]
        file.write_bytes(mutation(file.read_bytes(), rng))
        (place / WHICH).write_text(file.relative_to(place).parts[0])
        if rng.random() < 0.01:
            file.unlink()
            file.mkdir()
        return rest

    return damage


# ------------------------------------------------------------------------------------- scans
def _nifti_mutated(content: bytes, rng: Rng) -> bytes:
    """Damage within the compressed file, mostly in its header, or of the compressed bytes."""
    if rng.random() < 0.3:
        return bytes_mutated(content, rng)
    raw = bytearray(gzip.decompress(content))
    if rng.random() < 0.7:
        raw[:352] = (bytes_mutated(bytes(raw[:352]), rng) + bytes(352))[:352]
    else:
        raw = bytearray(bytes_mutated(bytes(raw), rng))
    return gzip.compress(bytes(raw), 1)


def _checked(place: Path, out: Path, rng: Rng) -> Reported:
    found = check_cohort(Cohort.open(place))
    return Reported(found.faults, len(found.sound))


def _landmarks(place: Path, out: Path, rng: Rng) -> Reported:
    cohort = Cohort.open(place)
    return Reported(read_landmarks(place, {case.name: case for case in cohort.cases})[1])


def _provenances(kept: Path, place: Path) -> None:
    """Volumes as they were generated, whose provenance also tells what guided synthesis tells."""
    shutil.copytree(kept / "generated", place, dirs_exist_ok=True)
    for path in (place / "provenance").iterdir():
        reported = json.loads(path.read_text())
        more = {"request": {"a_ml": 1.0}, "measured": {"a_ml": 1.1}, "missed": [{"a_ml": 9.0}]}
        path.write_text(json.dumps(reported | more))


def _provenance(place: Path, out: Path, rng: Rng) -> Reported:
    cohort = Cohort.open(place, labelled=False)
    for case in cohort.cases:
        case.provenance()
        _remembered(place, case.name)
    made = json.loads((place / "dataset.json").read_text())["vesalius"]["made"]
    with CohortWriter(place, cohort.description, (), made) as writer:
        for case in cohort.cases:
            writer.require_same_case(case.name, synthetic=True)
    return Reported(cohort.faults)


# ------------------------------------------------------------------------------------ pictures
def _pictures(kept: Path, place: Path) -> None:
    grey = (np.random.default_rng(0).random((24, 20)) * 255).astype(np.uint8)
    for ending in ("png", "jpg", "tif", "bmp"):
        Image.fromarray(grey).save(place / f"grey.{ending}")
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(place / "colour.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(place / "deep.png")
    Image.fromarray(grey.astype(np.float32)).save(place / "real.tif")


def _read_pictures(place: Path, out: Path, rng: Rng) -> Reported:
    faults, sound = [], 0
    for path in sorted(place.glob("*.*")):
        if path.name == WHICH:
            continue
        try:
            if not np.isfinite(standard(read_picture(path), 32)).all():
                raise Broken(f"{path.name} gives NaN")
            sound += 1
        except InputError as refusal:
            faults.append(refusal.fault)
    return Reported(faults, sound)


def _dicom(kept: Path, place: Path) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    for name, bits in (("one", 16), ("two", 8)):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[name])
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        content = FileDataset(str(place / f"{name}.dcm"), {}, file_meta=meta, preamble=b"\0" * 128)
        content.Rows, content.Columns, content.SamplesPerPixel = 12, 10, 1
        content.PhotometricInterpretation = "MONOCHROME2"
        content.BitsAllocated = content.BitsStored = bits
        content.HighBit, content.PixelRepresentation = bits - 1, 0
        content.RescaleSlope, content.RescaleIntercept = 2, -100
        values = np.arange(120).reshape(12, 10).astype(np.uint16 if bits == 16 else np.uint8)
        content.PixelData = values.tobytes()
        content.save_as(place / f"{name}.dcm", enforce_file_format=True)


def _npz(kept: Path, place: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 255, (6, 8, 8)).astype(np.uint8)
        arrays[f"{split}_labels"] = rng.integers(0, 2, (6, 2)).astype(np.uint8)
    np.savez(place / "set.npz", **arrays)


def _npz_damage(place: Path, rng: Rng) -> int | None:
    path = place / "set.npz"
    if rng.random() < 0.5:
        path.write_bytes(bytes_mutated(path.read_bytes(), rng))
        return None
    with np.load(path) as content:
        arrays = {name: content[name] for name in content.files}
    name = sorted(arrays)[int(rng.integers(0, len(arrays)))]
    odd: list[Any] = [
        np.array([None]),
        np.array("text"),
        np.zeros(0),
        np.zeros((3, 0, 2), np.uint8),
        arrays[name].astype(float) * np.nan,
        arrays[name][:2],
        arrays[name][..., None],
        np.array(3),
        np.zeros((2,) * 9, np.uint8),
        arrays[name].astype(complex),
        -arrays[name].astype(int),
        arrays[name].astype(int) * 1000,
        np.zeros((6, 1), [("a", int)]),
    ]
    arrays[name] = odd[int(rng.integers(0, len(odd)))]
    np.savez(path, **arrays)
    if rng.random() < 0.3:
        _archive_promising(path, name, rng)
    return None


def _archive_promising(path: Path, name: str, rng: Rng) -> None:
    """Replace an array by one whose header promises more than there is, or bytes of zeros."""
    header = io.BytesIO()
    shape = (int(rng.choice([10, 10**6, 10**9, 10**12])), 64, 64)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    zeros = bytes(int(rng.choice([0, 10_000, 40_000_000])))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", header.getvalue() + zeros)


def _classified(place: Path, out: Path, rng: Rng) -> Reported:
    found = read_classified(place / "set.npz" if (place / "set.npz").exists() else place, side=16)
    if not np.isfinite(found.images).all():
        raise Broken("gives NaN images")
    return Reported(found.faults)


def _tables(layout: str) -> Callable[[Path, Path], None]:
    """Six pictures with the table of a known layout."""

    def prepare(kept: Path, place: Path) -> None:
        rng = np.random.default_rng(0)
        names = [f"patient{n:05d}" for n in range(6)]
        if layout == "labels":
            files = [f"{name}.png" for name in names]
            rows = ["file,subject,split,nodule,effusion"]
            rows += [
                f"{f},{n},train,{i % 2},{i // 3}"
                for i, (f, n) in enumerate(zip(files, names, strict=True))
            ]
            table = "labels.csv"
        elif layout == "chexpert":
            files = [f"train/{name}/study1/view1_frontal.jpg" for name in names]
            rows = ["Path,Sex,Age,Frontal/Lateral,AP/PA,Edema,Pneumonia"]
            rows += [
                f"CheXpert-v1.0/{f},Male,60,Frontal,AP,{i % 2}.0,-1.0" for i, f in enumerate(files)
            ]
            table = "train.csv"
        else:
            files = [f"images/{n:08d}_000.png" for n in range(6)]
            rows = ["Image Index,Finding Labels,Follow-up #,Patient ID"]
            rows += [
                f"{Path(f).name},{'Mass|Nodule' if i % 2 else 'No Finding'},0,{i}"
                for i, f in enumerate(files)
            ]
            table = "Data_Entry_2017_v2020.csv"
        for file in files:
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((rng.random((16, 16)) * 255).astype(np.uint8)).save(place / file)
        (place / table).write_text("\n".join(rows) + "\n")

    return prepare


def _crops(kept: Path, place: Path) -> None:
    rng = np.random.default_rng(0)
    names = [
        f"{9000000 + n // 2}_0216060{n % 2}_200{5 + n % 2}0629_{'lr'[n % 2]}.png" for n in range(6)
    ]
    for name in names:
        Image.fromarray((rng.random((16, 16)) * 255).astype(np.uint8)).save(place / name)
    rows = ["img name,kls", *(f"{name},{n % 5}" for n, name in enumerate(names))]
    (place / "kls.csv").write_text("\n".join(rows) + "\n")


def _visits(place: Path, out: Path, rng: Rng) -> Reported:
    return Reported(read_visits(place, 16).faults)


# ----------------------------------------------------------------------------------------- runs
METHODS = (
    "guided",
    "inpainting",
    "volumes",
    "segmenter",
    "pretraining",
    "classifier",
    "progression",
)


def _runs(kept: Path, place: Path) -> None:
    for method in METHODS:
        shutil.copytree(kept / method, place / method)


def _opened(place: Path, out: Path, rng: Rng) -> Reported:
    """Open the run that was damaged, as the command that uses it does."""
    which = (place / WHICH).read_text()
    folder = place / which
    method_of(folder)
    match which:
        case "guided":
            GuidedPipeline(Run.open(folder, GuidedRecipe))
        case "inpainting":
            InpaintingPipeline(Run.open(folder, InpaintingRecipe))
        case "volumes":
            run = Run.open(folder, VolumesRecipe)
            reconstruction_of(run)
            VolumesPipeline(run)
        case "segmenter":
            SegmentationPipeline.open(folder)
        case "pretraining":
            pretrained_segmenter(folder)
        case "classifier":
            ClassificationPipeline.open(folder)
        case _:
            ProgressionPipeline.open(folder)
    return Reported()


def _calibration(place: Path, rng: Rng) -> int | None:
    """Damage of one of the notes of a run that its use reads."""
    names = ("calibration", "pathologies", "choice", "risk", "reconstruction", "grain")
    files = sorted(p for name in names for p in place.glob(f"**/{name}.json"))
    file = files[int(rng.integers(0, len(files)))]
    file.write_bytes(json_mutated(file.read_bytes(), rng))
    (place / WHICH).write_text(file.relative_to(place).parts[0])
    return None


def _weights(place: Path, rng: Rng) -> int | None:
    files = sorted(p for p in place.glob("**/*.safetensors") if p.stem != "plain")
    file = files[int(rng.integers(0, len(files)))]
    (place / WHICH).write_text(file.relative_to(place).parts[0])
    _tensors_mutated(file, rng)
    return None


def _tensors_mutated(file: Path, rng: Rng) -> None:
    """Damage of the bytes, most of it in the header, or tensors that are other than they were."""
    if rng.random() < 0.6:
        content = file.read_bytes()
        head = min(len(content), 4000)
        file.write_bytes(
            bytes_mutated(content[:head], rng) + content[head:]
            if rng.random() < 0.7
            else bytes_mutated(content, rng)
        )
        return
    tensors, texts = read_tensors(file, "")
    name = sorted(tensors)[int(rng.integers(0, len(tensors)))]
    one = tensors[name]
    match int(rng.integers(0, 7)):
        case 0:
            del tensors[name]
        case 1:
            tensors[f"{name}.x"] = one.clone()
        case 2:
            tensors[name] = one.reshape(-1)[: max(1, one.numel() // 2)].clone()
        case 3:
            tensors[name] = (
                torch.full_like(one, float("nan")) if one.is_floating_point() else one.flatten()[:0]
            )
        case 4:
            tensors[name] = one.to(torch.int64)
        case 5:
            texts = {key: CELLS[int(rng.integers(0, len(CELLS)))] for key in texts} | {
                "format": "1"
            }
        case _:
            texts = {"format": CELLS[int(rng.integers(0, len(CELLS)))]}
    kept = {key: value.contiguous() for key, value in tensors.items()}
    write_tensors(file, kept)
    if texts:
        from safetensors.torch import save_file

        save_file(kept, file, {k: v.replace("\x00", "") for k, v in texts.items()})


def _state(kept: Path, place: Path) -> None:
    state, optimizer = _toy(place / "state" / "toy.safetensors")
    for _ in range(3):
        state.objective(torch.ones(2, 4)).sum().backward()
        optimizer.step()
        state.average(1)
    state.best = {name: one.clone() for name, one in state.mean.items()}
    state.best_buffers = {n: b.clone() for n, b in state.objective.named_buffers()}
    state.best_loss, state.best_step = 0.5, 2
    state.save(optimizer, 3)
    log = Log(place / "log.csv", "toy", 0)
    for step in range(1, 6):
        log.add(step, 0.5, 0.25 if step % 2 else None)


def _copy(source: Path, out: Path) -> None:
    copy = shutil.copytree if source.is_dir() else shutil.copyfile
    copy(source, out / source.name)


def _toy(path: Path) -> tuple[_State, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    recipe = FitRecipe(steps=10, batch_size=2)
    return _State(network, recipe, path), torch.optim.AdamW(network.parameters())


def _state_damage(place: Path, rng: Rng) -> int | None:
    _tensors_mutated(place / "state" / "toy.safetensors", rng)
    return None


def _resumed(place: Path, out: Path, rng: Rng) -> Reported:
    state, optimizer = _toy(place / "state" / "toy.safetensors")
    step = state.resume(optimizer)
    if not 0 <= step <= 10:
        raise Broken(f"goes on at step {step} of 10")
    state.objective(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    return Reported()


def _logged(place: Path, out: Path, rng: Rng) -> Reported:
    _copy(place / "log.csv", out)
    Log(out / "log.csv", "toy", 3).add(4, 0.5, None)
    return Reported()


# ------------------------------------------------------------------------- results and studies
def _results(kept: Path, place: Path) -> None:
    from vesalius.evidence.figure import Figure

    figures = {"a/b": Figure(1.0, "mL", 3, (0.5, 1.5), 0.2), "c": Figure(2.0, "", 4)}
    Stages(place, "abc").run("one", lambda: None)
    Results("made", "smallest", 0, True, figures, {"cases": 3}).write(place)
    with output_folder(place / "made", {"command": "segment", "run": "ab12"}):
        pass
    (place / "scores.csv").write_text("arm,case,dice\nreal,a,0.5\nboth,b,0.7\n")


def _read_results(place: Path, out: Path, rng: Rng) -> Reported:
    Results.read(place)
    results_if_there(place)
    table_if_there(place / "scores.csv")
    return Reported()


def _read_stages(place: Path, out: Path, rng: Rng) -> Reported:
    _copy(place / "stages.json", out)
    Stages(out, "abc").run("one", lambda: None)
    return Reported()


def _read_made(place: Path, out: Path, rng: Rng) -> Reported:
    shutil.copytree(place / "made", out / "made")
    with output_folder(out / "made", {"command": "segment", "run": "ab12"}):
        return Reported()


def _designs(kept: Path, place: Path) -> None:
    source = [{"cohort": "../real", "origin": "real", "cases": 4}]
    designs: dict[str, dict[str, Any]] = {
        "realism": {"sources": source, "windows": [{"name": "soft", "low": 0, "high": 80}]},
        "saliency": {"methods": {"gradient": "a", "dual": "b"}, "cases": 6},
        "diagnosis": {
            "question": {"en": "Fracture?"},
            "cohort": "films",
            "truth": "ill",
            "aid": "aid",
            "washout_days": 28,
            "span": [0, 100],
        },
    }
    for design, entries in designs.items():
        content = {"design": design, "title": "A study", "readers": 3, "seed": 1, "repeats": 1}
        (place / f"{design}.yaml").write_text(yaml.safe_dump(content | entries))


def _yaml_mutated(content: bytes, rng: Rng) -> bytes:
    if rng.random() < 0.4:
        return text_mutated(content, rng)
    if rng.random() < 0.2:
        text = content.decode()
        return (
            text
            + str(
                rng.choice(
                    [
                        "a: &a [*a, *a]\n",
                        "!!python/object:os.system {}\n",
                        "&x [a]: *x\n",
                        "? [1]\n",
                        "- 1\n",
                        "\t x\n",
                        "date: 2026-13-45\n",
                    ]
                )
            )
        ).encode()
    return json_mutated(json.dumps(yaml.safe_load(content)).encode(), rng)


def _read_design(place: Path, out: Path, rng: Rng) -> Reported:
    for path in sorted(place.glob("*.yaml")):
        read_design(path)
    return Reported()


def _study(place: Path, out: Path, rng: Rng) -> Reported:
    study = Study.open(place)
    for reader in range(study.readers):
        for step in study.steps(reader):
            for one in study.shown(step):
                study.content(one)
    study.key()
    study.tokens()
    study.design()
    readings_of(study, [])
    return Reported()


def _study_damage(place: Path, rng: Rng) -> int | None:
    files = [
        place / "study.json",
        *sorted((place / "private").glob("*.json")),
        place / "private/links.csv",
    ]
    file = files[int(rng.integers(0, len(files)))]
    mutation = table_mutated if file.suffix == ".csv" else json_mutated
    file.write_bytes(mutation(file.read_bytes(), rng))
    return None


def _saved(kept: Path, place: Path) -> None:
    shutil.copytree(kept / "study", place / "study")
    study = Study.open(place / "study")
    answers = [
        {
            "step": step,
            "key": f"saved-{step:04d}",
            "sitting": "sitting-2",
            "seconds": 2.5,
            "received": now().isoformat(),
            "content": {one.name: one.low for one in study.outline.questions}
            | {"comment": "clear"},
        }
        for step in range(4)
    ]
    reported = {
        "study": study.identity,
        "reader": 2,
        "token": study.tokens()[1],
        "answers": answers,
    }
    (place / "answers.json").write_text(json.dumps(reported))


def _collected(place: Path, out: Path, rng: Rng) -> Reported:
    study = Study.open(place / "study")
    store = Store(f"sqlite:///{out / 'answers.sqlite'}", study.identity)
    try:
        collect(study, store, place / "answers.json")
        names = [one.name for one in study.outline.questions]
        raw_table(readings_of(study, store.every()), names).encode()
    finally:
        store.engine.dispose()
    return Reported()


def _database(place: Path, out: Path, rng: Rng) -> Reported:
    study = Study.open(place)
    _copy(place / "private/answers.sqlite", out)
    store = None
    try:
        store = Store(f"sqlite:///{out / 'answers.sqlite'}", study.identity, own=True)
        raw_table(readings_of(study, store.every()), ["usefulness_1"]).encode()
    finally:
        if store:
            store.engine.dispose()
    return Reported()


# -------------------------------------------------------------------------- commands and HTTP
COMMANDS = (
    "cohort check {cohort}",
    "cohort measure {cohort} --attribute {word}",
    "cohort split {cohort} --train {number}",
    "phantom brain {out} -n {number} --spacing {number}",
    "phantom knee {out} --years {word} -n {number}",
    "fit guided {cohort} --out {out} --spacing {number} --seed {number} --dry-run",
    "fit classifier {word} --out {out} --side {number} --dry-run",
    "fit volumes {cohort} --out {out} --preset {word} --dry-run",
    "fit progression {knees} --out {out} --attribute {word} --dry-run",
    "generate {run} --out {out} --attribute {word} -n {number} --seed {number}",
    "generate {run} --out {cohort}",
    "balance {cohort} --run {run} --out {cohort}",
    "inpaint {run} {word} --out {out} --pathology {word} --level {word}",
    "segment {run} {cohort} --out {cohort}",
    "segment {run} {word} --out {out}",
    "classify {run} {cohort} --out {cohort}/cases.csv",
    "explain {run} {word} --out {out}",
    "progress {run} {word} --out {out} --years {word}",
    "prove {cohort} {word} --out {out}",
    "audit {cohort} {word} --out {out}",
    "readers create {word} --out {out}",
    "readers results {study} --out {out}",
    "readers collect {study} {word}",
    "readers export {word} --out {out}",
    "readers serve {word} --port {number}",
    "readers serve {study} --port {number} --host {word} --database {word}",
    "{word} {word} {word}",
)


def _commands(kept: Path, place: Path) -> None:
    for name in ("brains", "knees", "study", "classifier", "segmenter", "guided"):
        shutil.copytree(kept / name, place / name)


def _typed(place: Path, out: Path, rng: Rng) -> Reported:
    """A command of words that may be wrong; one that goes through at random is not meant to run."""

    def word() -> str:
        pool = [
            *CELLS,
            *(str(one)[:300] for one in JUNK),
            "--out",
            "-n",
            "--",
            "--debug=1",
            "demo",
            str(place / "brains/cases.csv"),
            "ventricle_volume_ml=20:40",
            str(place / "nothing"),
            "lateral_ventricles_volume_ml",
            "1,2,4",
            "grey_matter_volume_ml",
        ]
        return pool[int(rng.integers(0, len(pool)))].replace("\x00", "").replace("\ud800", "\udcff")

    def number() -> str:
        return str(rng.choice(["-1", "0", "1e9", "nan", "x", "-0.5", "99999999999999999999", ""]))

    runs = ("classifier", "segmenter", "guided", "brains")
    template = COMMANDS[int(rng.integers(0, len(COMMANDS)))]
    words = [
        part.replace("{cohort}", str(place / "brains"))
        .replace("{knees}", str(place / "knees"))
        .replace("{study}", str(place / "study"))
        .replace("{out}", str(out / "made"))
        .replace("{run}", str(place / str(rng.choice(runs))))
        .replace("{word}", word())
        .replace("{number}", number())
        for part in template.split()
    ]
    said = io.StringIO()
    import contextlib

    with contextlib.redirect_stderr(said):
        try:
            command_line(words)
        except SystemExit as end:
            if (
                end.code not in (0, 1, 2, 3, None)
                or "failed" in said.getvalue().split("\n")[-2:][0][:8]
            ):
                raise Broken(f"ends with {end.code}: {said.getvalue()[-150:]} {words}") from None
            if end.code == 1 and template != COMMANDS[0]:
                raise Broken(f"ends with 1: {said.getvalue()[-150:]} {words}") from None
            if end.code == 2 and len(said.getvalue()) > 320:
                raise Broken(f"says {len(said.getvalue())} characters {words}") from None
    return Reported()


_client: dict[str, Any] = {}


def _http(kept: Path, place: Path) -> None:
    shutil.copytree(kept / "study", place, dirs_exist_ok=True)
    study = Study.open(place)
    limit = RequestLimit(a_second=1e9, at_once=10**9)
    app = create_app(study, Store.at(study), limit=limit)
    _client["client"] = TestClient(app, raise_server_exceptions=False)
    _client["study"] = study


def _requested(place: Path, out: Path, rng: Rng) -> Reported:
    study: Study = _client["study"]
    secrets = [*study.tokens(), *(one.case for one in study.key())]
    token = study.tokens()[int(rng.integers(0, 2))]
    names = [one.name for item in study.outline.items for one in item]
    paths = [
        "/",
        "/api/study",
        "/api/progress",
        f"/api/steps/{rng.choice(['0', '1', '3', '-1', '9' * 40, 'x'])}",
        f"/api/steps/{int(rng.integers(0, 6))}/{rng.choice(names)}",
        "/niivue.js",
        "/private/key.json",
        "/api/steps/0/..%2f..%2fprivate%2flinks.csv",
        "/api/steps/0?sitting=" + "x" * int(rng.integers(0, 3000)),
        "/"
        + "".join(chr(int(c)) for c in rng.integers(33, 126, int(rng.integers(0, 60)))).replace(
            "#", "/"
        ),
    ]
    content = {
        "key": "key-of-it",
        "sitting": "sitting-1",
        "seconds": 1.0,
        "content": {one.name: one.low for one in study.outline.questions},
    }
    body = json_mutated(json.dumps(content).encode(), rng)
    heads = [
        f"Bearer {token}",
        f"Bearer {token[:-1]}",
        "",
        "Bearer",
        "Basic eDp5",
        "Bearer " + "x" * 4000,
    ]
    head = {"Authorization": heads[int(rng.choice([0, 0, 0, 0, 1, 2, 3, 4, 5]))]}
    path = paths[int(rng.integers(0, len(paths)))]
    method = str(rng.choice(["GET", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]))
    try:
        found = _client["client"].request(method, path, content=body, headers=head)
    except (ValueError, UnicodeError):
        return Reported()  # the client itself refuses such an address
    except Exception as error:
        if type(error).__module__.startswith("httpx"):
            return Reported()
        raise
    if found.status_code >= 500:
        raise Broken(f"{method} {path[:60]} gives {found.status_code}")
    if any(secret in found.text for secret in secrets):
        raise Broken(f"{method} {path[:60]} gives away what is private")
    return Reported()


ENTRANCES: tuple[Entrance, ...] = (
    Entrance("nifti", 6, _copied("brains"), _one_of("imagesTr/*.gz", _nifti_mutated, 3), _checked),
    Entrance(
        "label_maps", 3, _copied("brains"), _one_of("labelsTr/*.gz", _nifti_mutated, 3), _checked
    ),
    Entrance("dicom", 5, _dicom, _one_of("*.dcm", bytes_mutated, 1), _read_pictures),
    Entrance("png", 5, _pictures, _one_of("*.*", bytes_mutated, 6), _read_pictures),
    Entrance("npz", 4, _npz, _npz_damage, _classified),
    Entrance("dataset_json", 4, _copied("brains"), _one_of("dataset.json", json_mutated), _checked),
    Entrance("cases_csv", 5, _copied("brains"), _one_of("cases.csv", table_mutated), _checked),
    Entrance(
        "landmarks", 3, _copied("spines"), _one_of("landmarks.csv", table_mutated), _landmarks
    ),
    Entrance("labels", 3, _tables("labels"), _one_of("labels.csv", table_mutated), _classified),
    Entrance("chexpert", 2, _tables("chexpert"), _one_of("train.csv", table_mutated), _classified),
    Entrance("chestxray14", 2, _tables("xray14"), _one_of("Data*.csv", table_mutated), _classified),
    Entrance("visits", 2, _copied("knees"), _one_of("cases.csv", table_mutated), _visits),
    Entrance("grades", 2, _crops, _one_of("kls.csv", table_mutated), _visits),
    Entrance("recipes", 4, _runs, _one_of("*/recipe.json", json_mutated), _opened),
    Entrance("fingerprints", 4, _runs, _one_of("*/fingerprint.json", json_mutated), _opened),
    Entrance("calibration", 4, _runs, _calibration, _opened),
    Entrance("safetensors", 4, _runs, _weights, _opened),
    Entrance("states", 4, _state, _state_damage, _resumed),
    Entrance("logs", 2, _state, _one_of("log.csv", table_mutated), _logged),
    Entrance(
        "provenance",
        3,
        _provenances,
        _one_of("provenance/*.json", json_mutated),
        _provenance,
        True,
    ),
    Entrance("results", 3, _results, _one_of("results.json", json_mutated), _read_results),
    Entrance("scores", 1, _results, _one_of("scores.csv", table_mutated), _read_results),
    Entrance("stages", 3, _results, _one_of("stages.json", json_mutated), _read_stages),
    Entrance("made", 1, _results, _one_of("made/made.json", json_mutated), _read_made),
    Entrance("designs", 4, _designs, _one_of("*.yaml", _yaml_mutated), _read_design),
    Entrance("studies", 4, _copied("study"), _study_damage, _study),
    Entrance("answers", 4, _saved, _one_of("answers.json", json_mutated), _collected),
    Entrance(
        "database", 3, _copied("study"), _one_of("private/answers.sqlite", bytes_mutated), _database
    ),
    Entrance("command_line", 2, _commands, lambda place, rng: None, _typed, True),
    Entrance("http", 5, _http, lambda place, rng: None, _requested, True),
)
