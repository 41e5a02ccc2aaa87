"""Work by case gives the same whoever does it, and a process that dies costs nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from vesalius.phantoms.cohorts.organs import write_gridded
from vesalius.scans.executor import each
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import no_progress


def doubled(number: int, place: str = "") -> int:
    """Twice a number; the first process that works on 5 dies."""
    if place and number == 5:
        mark = Path(place) / "died"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def deadly(number: int) -> int:
    """Ends every process that works on 3."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refused(number: int) -> int:
    raise InputError(f"case_{number}", "is damaged", "copy it again")


def test_a_process_that_dies_is_replaced_and_its_case_is_done_again(tmp_path: Path) -> None:
    work = partial(doubled, place=str(tmp_path))
    found = list(each(work, range(12), "doubling", no_progress, workers=2))
    assert found == [2 * number for number in range(12)] and (tmp_path / "died").exists()


def test_a_case_that_ends_every_process_is_told_of() -> None:
    with pytest.raises(InputError, match="ended 3 processes"):
        list(each(deadly, range(8), "trying", no_progress, workers=2))


def test_what_a_process_refuses_is_refused_here() -> None:
    with pytest.raises(InputError, match="case_0: is damaged; copy it again"):
        list(each(refused, range(5), "trying", no_progress, workers=2))


def test_a_script_without_a_guard_is_run_once(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import vesalius as vs\nprint('begun')\n"
        "made = vs.phantom('breast', 'made', 4, workers=2, shape=(32, 32, 32), "
        "progress=lambda *told: None)\nprint(len(made.cases), __file__ is not None)\n"
    )
    done = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["begun", "4 True"], done.stderr


def test_a_cluster_writes_the_same_bytes_though_one_of_its_workers_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    alone = write_gridded("breast", tmp_path / "alone", 6, 0, (32, 32, 32))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    ) as cluster:  # fmt: skip
        monkeypatch.setenv("VESALIUS_CLUSTER", cluster.scheduler_address)
        work = partial(doubled, place=str(tmp_path))
        assert list(each(work, range(12), "doubling", no_progress)) == list(range(0, 24, 2))
        shared = write_gridded("breast", tmp_path / "shared", 6, 0, (32, 32, 32))
    assert (tmp_path / "died").exists()
    for case, other in zip(alone.cases, shared.cases, strict=True):
        assert case.images_digest() == other.images_digest()


def test_a_cluster_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setenv("VESALIUS_CLUSTER", "tcp://127.0.0.1:9")
    monkeypatch.setattr("vesalius.scans.executor.CONNECT_SECONDS", 1)
    with pytest.raises(InputError, match="cannot be reached"):
        list(each(doubled, range(3), "doubling", no_progress))
