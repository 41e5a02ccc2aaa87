"""Small studies of every design, made of noise, without a network; and databases for answers."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import yaml
from PIL import Image

from tests.browsing import left_out
from vesalius.readers import creating
from vesalius.readers.creating import create_study
from vesalius.readers.design import read_design
from vesalius.readers.study import Study
from vesalius.scans.case import Scan
from vesalius.scans.cohort_writer import CohortWriter
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


def _cohort(folder: Path, seed: int, flat: bool, orientation: str, cases: int = 8) -> None:
    rng = np.random.default_rng(seed)
    shape = (12, 1, 10) if flat else (10, 9, 8)
    writer = CohortWriter(folder, Description(("T1",), {"background": 0}), ("ill",))
    for number in range(cases):
        voxels = rng.normal(100 + 900 * seed, 10, shape).astype(np.float32)
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
    _cohort(folder / "many", 3, True, "RAS", cases=60)
    (folder / "maps-of-many").mkdir()
    for number in range(60):
        Image.new("L", (4, 4), number).save(folder / "maps-of-many" / f"case3_{number}.png")
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Folder of the socket of a PostgreSQL server of its own."""
    found = [shutil.which("initdb"), *Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    initdb = next((path for one in found if one and (path := Path(one).resolve())), None)
    if initdb is None:
        left_out("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if user:
        shutil.chown(folder, user)

    def run(program: str, *options: str) -> None:
        command = [str(initdb.with_name(program)), "-D", str(folder / "data"), *options]
        subprocess.run(command, user=user, check=True, cwd=folder, stdout=subprocess.DEVNULL)

    run("initdb", "--auth=trust", "--username=study")
    settings = f"-c listen_addresses='' -c unix_socket_directories='{folder}'"
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", settings, "start")
    yield str(folder)
    run("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'several.sqlite'}"
    folder, name = request.getfixturevalue("postgres"), f"studies_{secrets.token_hex(4)}"
    with psycopg.connect(f"host={folder} user=study dbname=postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql://study@/{name}?host={folder}"
