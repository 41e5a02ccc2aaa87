"""Long work, one job after the other: with progress, cancelled on request, kept over a restart.

A job is a file, written whole at each change of its state. What was waiting or running when the
workbench ended is waiting when it begins again; the same question and seed give the same case, so
nothing is lost by beginning a job anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from vesalius.scans.formats.json_file import read_json
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.scans.writing import make_folder, write_text
from vesalius.workbench.making import Question

State = Literal["waiting", "running", "done", "missed", "failed", "cancelled"]
OVER: tuple[State, ...] = ("done", "missed", "failed", "cancelled")


class Job(BaseModel):
    """One question and what became of it.

    Attributes:
        number: from 1, in the order in which jobs were asked for.
        question: of the browser.
        state: `missed` where no draw was within tolerance.
        measured: on the case, or on the last draw of a request that was missed.
        tries: draws that it took.
        message: why it failed or was missed.
        kept: name of the case in the kept cohort, once it is there.
        seconds: that it ran for.
    """

    number: int
    question: Question
    state: State = "waiting"
    measured: dict[str, float] = Field(default_factory=dict)
    tries: int = 0
    message: str = ""
    kept: str = ""
    seconds: float = 0.0


class Cancelled(Exception):
    """Raised in the midst of a job that was called off."""


Work = Callable[[Job, Path, Progress], Job]


class Jobs:
    """The queue and the thread that works it off.

    Args:
        folder: of the jobs' files; each job has a folder of its own beside its file.
        work: does a job, given a folder of its own, and returns it as it ended.
    """

    def __init__(self, folder: Path, work: Work) -> None:
        self.folder, self._work = make_folder(folder), work
        self._jobs = {job.number: job for job in self._read()}
        self._changed = threading.Condition()
        self._stopped = False
        self._called_off: set[int] = set()
        self._progress: dict[int, dict[str, Any]] = {}
        self._thread = threading.Thread(target=self._run, name="workbench jobs", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is computed now; a running job is waiting again."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def add(self, question: Question) -> Job:
        """Put a question at the end of the queue; it is on disk before this returns."""
        with self._changed:
            job = Job(number=max(self._jobs, default=0) + 1, question=question)
            self._keep(job)
            self._changed.notify_all()
        return job

    def cancel(self, number: int) -> Job:
        """Call a job off; one that is over stays as it is."""
        with self._changed:
            job = self.of(number)
            if job.state == "waiting":
                job = self._keep(job.model_copy(update={"state": "cancelled"}))
            elif job.state == "running":
                self._called_off.add(number)
            return job

    def of(self, number: int) -> Job:
        """One job.

        Raises:
            InputError: for one that there is none of.
        """
        if number not in self._jobs:
            raise InputError("job", f"{number} is not there", "choose one that is listed")
        return self._jobs[number]

    def change(self, number: int, **values: Any) -> Job:
        """Keep a job with some of its values changed."""
        with self._changed:
            return self._keep(self.of(number).model_copy(update=values))

    def listed(self) -> list[dict[str, Any]]:
        """All jobs, the newest first, with how far a running one is."""
        jobs = sorted(self._jobs.values(), key=lambda job: -job.number)
        return [job.model_dump() | {"progress": self._progress.get(job.number)} for job in jobs]

    def place(self, number: int) -> Path:
        """The folder of a job's files."""
        return self.folder / f"{number:05d}"

    def _read(self) -> list[Job]:
        found = []
        for path in sorted(self.folder.glob("*.json")):
            job = read_json(path, Job, "remove it")
            over = job.state in OVER
            found.append(job if over else job.model_copy(update={"state": "waiting"}))
        return found

    def _keep(self, job: Job) -> Job:
        write_text(self.folder / f"{job.number:05d}.json", job.model_dump_json(indent=1) + "\n")
        self._jobs[job.number] = job
        return job

    def _next(self) -> Job | None:
        with self._changed:
            while not self._stopped:
                waiting = [job for job in self._jobs.values() if job.state == "waiting"]
                if waiting:
                    job = min(waiting, key=lambda one: one.number)
                    return self._keep(job.model_copy(update={"state": "running"}))
                self._changed.wait()
        return None

    def _run(self) -> None:
        while (job := self._next()) is not None:
            began = time.monotonic()
            ended = self._done(job)
            self._progress.pop(job.number, None)
            self._called_off.discard(job.number)
            with self._changed:
                self._keep(ended.model_copy(update={"seconds": time.monotonic() - began}))

    def _done(self, job: Job) -> Job:
        def progress(what: str, done: int, total: int) -> None:
            self._progress[job.number] = {"what": what, "done": done, "total": total}
            if self._stopped or job.number in self._called_off:
                raise Cancelled

        try:
            return self._work(job, make_folder(self.place(job.number)), progress)
        except Cancelled:
            state = "cancelled" if job.number in self._called_off else "waiting"
            return job.model_copy(update={"state": state})
        except InputError as refusal:
            return job.model_copy(update={"state": "failed", "message": str(refusal)})
        except Exception as error:  # the queue goes on, whatever one job runs into
            message = f"{type(error).__name__}: {error}"
            return job.model_copy(update={"state": "failed", "message": message})
