"""Small studies of every design, made of noise, without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from vesalius.readers import creating
from vesalius.readers.creating import create_study
from vesalius.readers.design import read_design
from vesalius.readers.study import Study
from vesalius.scans.case import Scan
from vesalius.scans.cohort import CohortWriter
from vesalius.scans.description import Description
from vesalius.scans.volume import Volume

READERS = 4
DESIGNS: dict[str, dict[str, Any]] = {
    "realism": {
        "practice": 2, "repeats": 2,
        "sources": [{"cohort": "real", "origin": "real", "cases": 4},
                    {"cohort": "drawn", "origin": "synthetic", "cases": 4}],
    },
    "saliency": {"practice": 1, "repeats": 2, "cases": 6,
                 "methods": {"gradient": "gradient", "dual": "dual"}},
    "diagnosis": {
        "practice": 1, "repeats": 2, "cases": 6, "truth": "ill", "cohort": "films", "aid": "aid",
        "question": {"en": "Is there a nodule?"}, "washout_days": 28,
    },
}  # fmt: skip
Making = Callable[..., Study]


def _cohort(folder: Path, seed: int, flat: bool, orientation: str) -> None:
    chance = np.random.default_rng(seed)
    shape = (12, 1, 10) if flat else (10, 9, 8)
    writer = CohortWriter(folder, Description(("T1",), {"background": 0}), ("ill",))
    for number in range(8):
        voxels = chance.normal(100 + 900 * seed, 10, shape).astype(np.float32)
        volume = Volume(voxels, np.diag([2.0, 2.0, 2.0, 1.0])).oriented(orientation)
        name = f"case{seed}_{number}"
        writer.add(name, Scan((volume,)), name, {"ill": number % 2},
                   provenance={"seed": 1} if seed else None)  # fmt: skip
    writer.finish()


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cohorts of volumes of other ranges and orientations, one of films, and overlays."""
    folder = tmp_path_factory.mktemp("sources")
    _cohort(folder / "real", 0, False, "RAS")
    _cohort(folder / "drawn", 1, False, "LPI")
    _cohort(folder / "films", 2, True, "RAS")
    for name in ("gradient", "dual", "aid"):
        (folder / name).mkdir()
        for number in range(8):
            stem = f"case2_{number}" if name == "aid" else f"case2_{number}_nodule_{number}"
            colour = tuple(int(value) for value in (40 * len(name), 20 * number, 90))
            Image.new("RGB", (16, 8), colour).save(folder / name / f"{stem}.png")
    return folder


@pytest.fixture
def make(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Making:
    """Makes a study of a design, some of its entries being others."""
    script = tmp_path / "viewer.js"
    script.write_text("// the viewer is not needed here\n")
    monkeypatch.setattr(creating, "niivue_script", lambda: script)

    def made(design: str, **changed: Any) -> Study:
        path = sources / f"{tmp_path.name}-{design}.yaml"
        content = {"design": design, "title": "A study", "readers": READERS}
        path.write_text(yaml.safe_dump(content | DESIGNS[design] | changed))
        return create_study(read_design(path), tmp_path / f"study-{design}").study

    return made
