"""Overlays and maps: of pictures and of volumes, from files, folders and cohorts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from vesalius.methods.classification.explanation import explain, images_at
from vesalius.methods.classification.method import Classification
from vesalius.methods.classification.pipeline import ClassificationPipeline
from vesalius.methods.classification.recipe import ClassificationRecipe
from vesalius.methods.classification.saliency import METHODS, randomised, saliency
from vesalius.methods.classification.training import PRESETS
from vesalius.phantoms.cohorts.findings import write_findings
from vesalius.scans.classified_layouts import read_classified
from vesalius.scans.formats.nifti import read_nifti
from vesalius.scans.input_error import InputError
from vesalius.scans.pictures import read_picture
from vesalius.training.fit import fit, prepare

RECIPE = ClassificationRecipe(preset="smallest", classifier=PRESETS["smallest"])


@pytest.fixture(scope="module")
def nodules(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ClassificationPipeline]:
    folder = tmp_path_factory.mktemp("nodules")
    write_findings("nodule", folder / "cohort", 24, 0, 16)
    ready = prepare(Classification(), read_classified(folder / "cohort"), RECIPE)
    return folder / "cohort", ClassificationPipeline(fit(ready, folder / "run"))


def test_maps_of_volumes_lie_in_the_space_of_their_images(
    nodules: tuple[Path, ClassificationPipeline], tmp_path: Path
) -> None:
    folder, trained = nodules
    image = folder / "imagesTr/nodule_0002_0000.nii.gz"
    written = explain(trained, images_at(image, trained), tmp_path / "one")
    maps = sorted((tmp_path / "one").glob("*.nii.gz"))
    assert len(written) == len(maps) == 1
    assert read_nifti(maps[0]).same_geometry(read_nifti(image))
    whole = images_at(folder, trained)
    assert whole.affines is not None and len(whole) == 24
    alone = images_at(image, trained)
    assert np.allclose(alone.images[0], whole.images[2], atol=1e-3)
    assert np.allclose(whole.affines[2], read_nifti(image).affine, atol=1e-4)
    assert read_picture(written[0]).shape[1] == 2 * read_picture(written[0]).shape[0]


def test_what_images_show_need_not_be_known(
    nodules: tuple[Path, ClassificationPipeline], tmp_path: Path
) -> None:
    folder, trained = nodules
    shutil.copytree(folder, tmp_path / "cohort")
    table = tmp_path / "cohort/cases.csv"
    rows = [line.split(",")[:2] for line in table.read_text().splitlines()]
    table.write_text("".join(f"{','.join(row)}\n" for row in rows))
    assert np.array_equal(
        images_at(tmp_path / "cohort", trained).images, images_at(folder, trained).images
    )
    with pytest.raises(InputError, match="no column of 0 and 1"):
        read_classified(tmp_path / "cohort")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_map_of_each_image_that_hangs_on_the_weights(
    method: str, nodules: tuple[Path, ClassificationPipeline]
) -> None:
    folder, trained = nodules
    images = images_at(folder, trained).images[:3]
    maps = saliency(trained.network, images, 0, method)  # type: ignore[arg-type]
    assert maps.shape == (3, 16, 16, 16) and maps.min() >= 0
    others = saliency(randomised(trained.network, 1), images, 0, method)  # type: ignore[arg-type]
    assert not np.allclose(maps, others)
    assert all(weight.requires_grad for weight in trained.network.parameters())
