"""Small cohorts that many tests share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, sync_playwright

from tests.browsing import CHROMIUM, FLAGS, left_out
from vesalius.api.generating import generate
from vesalius.evidence.figure import Figure
from vesalius.methods.guided.method import Guided
from vesalius.methods.guided.recipe import PRESETS
from vesalius.methods.inpainting.method import Inpainting
from vesalius.methods.inpainting.recipe import PRESETS as INPAINTING
from vesalius.phantoms.cohorts.organs import write_brains, write_spines
from vesalius.scans.case import LabelledScan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume
from vesalius.training.fit import fit, prepare
from vesalius.training.requests import even_requests
from vesalius.training.run import Run

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)


@pytest.fixture(autouse=True)
def _folder_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each test works in an empty folder, so that what commands leave there lies in no other's."""
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, where it is installed."""
    if CHROMIUM is None:
        left_out("Chromium is not installed")
    with sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def accounted() -> Callable[[Mapping[str, Figure]], None]:
    """Fails where a figure does not say what n counts, or has no interval and no reason why."""

    def check(figures: Mapping[str, Figure]) -> None:
        for name, figure in figures.items():
            assert figure.counts, f"{name}: what does n count?"
            assert figure.interval, f"{name}: how was the interval made?"
            assert (figure.ci95 is None) == figure.interval.startswith("none: "), name
            assert figure.sd is None or figure.sd_over, f"{name}: over what is the SD?"
            if figure.ci95 is not None:
                low, high = figure.ci95
                assert low <= high, f"{name}: {figure}"

    return check


@pytest.fixture(scope="session")
def brains(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Eighteen phantom brains at 8 mm."""
    return write_brains(tmp_path_factory.mktemp("brains") / "cohort", 18, seed=3, spacing_mm=8.0)


@pytest.fixture(scope="session")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Three more, with large ventricles."""
    folder = tmp_path_factory.mktemp("unseen") / "cohort"
    return write_brains(folder, 3, seed=4, spacing_mm=8.0, volume_ml=(60, 100), split="test")


@pytest.fixture(scope="session")
def small_run(brains: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the smallest preset: its parts are real, its pictures are not good."""
    prepared = prepare(Guided(), brains, PRESETS["smallest"])
    return fit(prepared, tmp_path_factory.mktemp("run") / "run")


def blobs(
    folder: Path,
    count: int = 12,
    orientation: str = "LPS",
    tilt_degrees: float = 0.0,
    spacing: tuple[float, float, float] = (3.0, 4.0, 5.0),
    seed: int = 0,
) -> Cohort:
    """Somebody else's cohort: an organ and a tumour of varied size, in any axis order and tilt."""
    labels = {"background": 0, "organ": 3, "tumour": 7}
    writer = CohortWriter(folder, Description(("CT",), labels))
    rng = np.random.default_rng(seed)
    angle = np.deg2rad(tilt_degrees)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing)
    affine[:3, 3] = (-40, 12, 300)
    x, y, z = np.meshgrid(*[np.arange(n) for n in (28, 24, 20)], indexing="ij")
    for index in range(count):
        middle = np.array([14, 12, 10]) + rng.normal(0, 0.7, 3)
        distance = np.sqrt((x - middle[0]) ** 2 + (y - middle[1]) ** 2 + (z - middle[2]) ** 2)
        label_map = np.where(distance < 8, 3, 0)
        label_map[distance < 2 + 3 * index / count] = 7
        image = -1000 + 1040 * (label_map == 3) + 1080 * (label_map == 7)
        image = image + rng.normal(0, 10, image.shape)
        scan = LabelledScan(
            (Volume(image.astype(np.float32), affine).oriented(orientation),),
            Volume(label_map.astype(np.uint8), affine).oriented(orientation),
        )
        writer.add(f"abdomen{seed or ''}_{index:02d}", scan, f"patient{seed}-{index}", {})
    cohort = writer.finish()
    (folder / "cases.csv").unlink()
    return Cohort.open(cohort.folder)


def save(path: Path, voxels: np.ndarray, affine: np.ndarray | None = None) -> Path:
    """A NIfTI file as another program would write it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(voxels, np.eye(4) if affine is None else affine), path)
    return path


@pytest.fixture(scope="session")
def small_cohort(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Three cases of the smallest run."""
    requested = even_requests({"ventricle_volume_ml": (20.0, 30.0)}, 3, 0)
    folder = tmp_path_factory.mktemp("synthetic") / "cohort"
    return generate(small_run, requested, out=folder, tolerance=0.5, tries=30).cohort


@pytest.fixture(scope="session")
def spines(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Ten phantom spines, coarse, a third of their levels with a finding; two are held back."""
    folder = tmp_path_factory.mktemp("spines") / "cohort"
    prevalence = {"herniation": 0.15, "stenosis": 0.15}
    return write_spines(folder, 10, 2, (8.0, 2.5, 2.5), prevalence)


@pytest.fixture(scope="session")
def inpainting_run(spines: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of the smallest preset with all networks."""
    recipe = INPAINTING["smallest"].changed(networks=("voxelwise", "ordinary", "concat"))
    prepared = prepare(Inpainting(), spines, recipe)
    return fit(prepared, tmp_path_factory.mktemp("inpainting") / "run")
