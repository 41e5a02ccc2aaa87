"""The full case of a question on disk, and cohorts of those that were found good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vesalius.api.using import forecast
from vesalius.evidence.copies import CopySearch
from vesalius.sampling.case import GeneratedCase
from vesalius.sampling.rejection import Outcome, Trial, judge, missed, next_met
from vesalius.scans.case import Case
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.input_error import InputError
from vesalius.scans.landmarks import append_landmarks, read_landmarks, sort_landmarks
from vesalius.scans.progress import Progress
from vesalius.workbench.jobs import Job
from vesalius.workbench.making import FORECASTING, YEARS, Asked, asked, at
from vesalius.workbench.nearest import TrainingCases
from vesalius.workbench.opened import Opened

TRIES = 10
"""Draws before a question is given up."""
MADE = {"command": "open"}


@dataclass
class Making:
    """Does jobs: draws until one is within tolerance and no copy, and writes it.

    Attributes:
        opened: what jobs are about.
        kept: folder of the kept cohorts, one for each run.
        training: that nothing may be a copy of, where their cohort was opened.
    """

    opened: Opened
    kept: Path
    training: TrainingCases

    def work(self, job: Job, folder: Path, progress: Progress) -> Job:
        """Do one job; `folder` is a cohort of its one case, or holds a forecast."""
        if at(self.opened.runs, job.question.run, "run").method == FORECASTING:
            return self._forecast(job, folder, progress)
        own = asked(job.question, self.opened, f"case_{job.number:05d}")
        gate = self._gate(own, progress)
        trial = Trial(own.request)
        while True:
            progress("generating", len(trial.draws), TRIES)
            trial = next_met(own.sampler, trial, len(trial.draws) + 1)
            judged = judge(own.sampler, trial, gate)
            if isinstance(judged, Trial):
                trial = judged
            elif judged.case is not None:
                _write(folder, own, judged.case)
                return _ended(job, judged, "done")
            if len(trial.draws) >= TRIES:
                outcome = Outcome(None, trial.draws)
                message = str(missed(own.request, outcome))
                return _ended(job, outcome, "missed").model_copy(update={"message": message})

    def _forecast(self, job: Job, folder: Path, progress: Progress) -> Job:
        question = job.question
        cohort = at(self.opened.cohorts, question.cohort, "cohort")
        case = at(cohort.cases, question.case, "case")
        model = at(self.opened.runs, question.run, "run").pipeline
        left = bool(case.attributes.get("left", 0.0))
        forecast(
            model, case.images[0], out=folder / "forecast", years=YEARS, left=left,
            progress=progress,
        )  # fmt: skip
        return job.model_copy(update={"state": "done", "tries": 1})

    def keep(self, job: Job, folder: Path) -> str:
        """Put the case of a job into the kept cohort of its run; its name there.

        Raises:
            InputError: for a job that has no case.
        """
        if job.state != "done":
            raise InputError(f"job {job.number}", f"is {job.state}", "keep one that is done")
        made = Cohort.open(folder, labelled=False)
        case = made.cases[0]
        name = f"kept_{job.number:05d}"
        place = self.kept / self.opened.runs[job.question.run].folder.resolve().name
        with CohortWriter(place, made.description, tuple(case.attributes), MADE) as writer:
            if name not in writer.done:
                scan = made.read(case) if case.label_map else made.read_images(case)
                if _marked(made):
                    marks, _ = read_landmarks(made.folder, {case.name: case})
                    append_landmarks(writer.folder, name, marks.get(case.name, ()))
                writer.add(
                    name, scan, case.subject, case.attributes, case.visit, case.split,
                    case.provenance(),
                )  # fmt: skip
            if _marked(made):
                sort_landmarks(writer.folder)
            writer.finish()
        return name

    def _gate(self, own: Asked, progress: Progress) -> CopySearch | None:
        """Training cases that nothing may be a copy of, if they are of the same kind."""
        real, description = self.training.real, own.sampler.description
        if real is None or real.description.channels != description.channels:
            return None
        same = dict(description.labels) == dict(real.description.labels)
        return self.training.search(same and self.training.labelled, progress)


def case_of(folder: Path) -> tuple[Cohort, Case]:
    """The case of a job that is done."""
    cohort = Cohort.open(folder, labelled=False)
    return cohort, cohort.cases[0]


def _marked(cohort: Cohort) -> bool:
    return (cohort.folder / "landmarks.csv").is_file()


def _write(folder: Path, own: Asked, case: GeneratedCase) -> None:
    sampler = own.sampler
    with CohortWriter(folder, sampler.description, sampler.attributes, MADE) as writer:
        if case.landmarks:
            append_landmarks(writer.folder, case.name, case.landmarks)
        if case.name not in writer.done:
            writer.add(
                case.name, case.scan, own.request.subject, case.attributes, own.request.visit,
                own.request.split, case.provenance, case.dtype,
            )  # fmt: skip
        writer.finish()


def _ended(job: Job, outcome: Outcome, state: str) -> Job:
    last = outcome.draws[-1]
    return job.model_copy(
        update={"state": state, "measured": dict(last.measured), "tries": len(outcome.draws)}
    )
