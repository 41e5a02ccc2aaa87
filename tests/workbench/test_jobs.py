"""The queue: in order, called off on request, whole again after it was killed in the midst."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.workbench.jobs import OVER, Job, Jobs
from vesalius.workbench.making import Question


def until(jobs: Jobs, number: int, states: tuple[str, ...], seconds: float = 10) -> Job:
    """A job once it is in one of these states."""
    end = time.monotonic() + seconds
    while jobs.of(number).state not in states:
        assert time.monotonic() < end, jobs.of(number)
        time.sleep(0.01)
    return jobs.of(number)


def measured(job: Job, _folder: Path, _progress: Progress) -> Job:
    return job.model_copy(update={"state": "done", "measured": {"seed": job.question.seed}})


def test_jobs_are_done_in_order_and_are_on_disk_before_they_are_acknowledged(
    tmp_path: Path,
) -> None:
    done: list[int] = []

    def work(job: Job, folder: Path, progress: Progress) -> Job:
        done.append(job.number)
        return measured(job, folder, progress)

    jobs = Jobs(tmp_path, work)
    numbers = [jobs.add(Question(run=0, seed=seed)).number for seed in (7, 8, 9)]
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["00001", "00002", "00003"]
    jobs.start()
    last = until(jobs, numbers[-1], OVER)
    jobs.stop()
    assert done == numbers == [1, 2, 3]
    assert (last.state, last.measured) == ("done", {"seed": 9})


def test_what_was_running_when_it_was_killed_is_done_when_it_begins_again(tmp_path: Path) -> None:
    begun = threading.Event()

    def slow(job: Job, folder: Path, progress: Progress) -> Job:
        if job.number == 1:
            return measured(job, folder, progress)
        while True:
            begun.set()
            progress("generating", 0, 1)
            time.sleep(0.01)

    first = Jobs(tmp_path, slow)
    for seed in range(3):
        first.add(Question(run=0, seed=seed))
    first.start()
    assert begun.wait(10)
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("*.json")}  # as a kill leaves it
    first.stop()
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    second = Jobs(tmp_path, measured)
    assert [second.of(number).state for number in (1, 2, 3)] == ["done", "waiting", "waiting"]
    second.start()
    until(second, 3, OVER)
    second.stop()
    assert [second.of(number).measured["seed"] for number in (1, 2, 3)] == [0, 1, 2]


def test_jobs_are_called_off_waiting_or_running(tmp_path: Path) -> None:
    def endless(job: Job, _folder: Path, progress: Progress) -> Job:
        while True:
            progress("generating", 0, 1)
            time.sleep(0.01)

    jobs = Jobs(tmp_path, endless)
    first, second = (jobs.add(Question(run=0)).number for _ in range(2))
    assert jobs.cancel(second).state == "cancelled"
    jobs.start()
    until(jobs, first, ("running",))
    jobs.cancel(first)
    until(jobs, first, ("cancelled",))
    jobs.stop()


def test_one_failure_does_not_stop_the_queue(tmp_path: Path) -> None:
    def failing(job: Job, folder: Path, progress: Progress) -> Job:
        if job.number == 1:
            raise InputError("size", "is none", "ask for one")
        if job.number == 2:
            raise RuntimeError("of another kind")
        return measured(job, folder, progress)

    jobs = Jobs(tmp_path, failing)
    for _ in range(3):
        jobs.add(Question(run=0))
    jobs.start()
    until(jobs, 3, OVER)
    jobs.stop()
    assert [jobs.of(n).state for n in (1, 2, 3)] == ["failed", "failed", "done"]
    assert jobs.of(1).message == "size: is none; ask for one"
    with pytest.raises(InputError, match="9 is not there"):
        jobs.of(9)
