"""One runner for all experiments: stages in turn, each done once, timed, measured and kept.

What a stage measured is kept beside its files, so a run that goes on, or takes up another subject
later, reads it instead of measuring again; `results.json` grows with each stage.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.provenance import Code
from vesalius.evidence.results import Results
from vesalius.experiments.prespecified import Prespecified, changes
from vesalius.experiments.stages import Stages
from vesalius.scans.cohort import Cohort
from vesalius.scans.progress import Progress
from vesalius.scans.writing import make_folder
from vesalius.training.recipe import Settings

Recipe = TypeVar("Recipe", bound=Settings)
Stage = Callable[[], "dict[str, Figure] | None"]
"""Writes files, and gives the figures that were measured on them."""


class Experiment(ABC, Generic[Recipe]):
    """An experiment on one subject, such as an organ or a kind of data.

    Args:
        folder: of the subject.
        recipe: settings.
        progress: called after each case and step.

    Attributes:
        notes: that stand in `results.json` beside the figures; stages add to them.
    """

    def __init__(self, folder: Path, recipe: Recipe, progress: Progress) -> None:
        self.folder, self.recipe, self.progress = folder, recipe, progress
        self.notes: dict[str, Any] = {}

    @property
    @abstractmethod
    def prespecified(self) -> Prespecified:
        """What is asked, and how it will be answered, by the recipe alone."""

    @abstractmethod
    def stages(self) -> Mapping[str, Stage]:
        """Stages by name, in their order."""

    def derived(self, seconds: Mapping[str, float]) -> dict[str, Figure]:
        """Figures that follow from the seconds of the finished stages."""
        return {}

    def cohort(self, name: str, labelled: bool = True) -> Cohort:
        """A cohort that a stage has written."""
        return Cohort.open(self.folder / name, labelled)


def run_experiment(
    results: Results,
    out: str | Path,
    settings: str,
    subjects: Mapping[str, Callable[[Path], Experiment[Any]]],
    finished: Callable[[str], None],
) -> Results:
    """Go through every stage of every subject that was not done yet, and write `results.json`.

    Args:
        results: to which figures are added, the name of their subject in front.
        out: folder; one that a killed process left is gone on with.
        settings: digest of all settings; a folder of other settings is refused.
        subjects: makes an experiment for a folder; one without a name puts nothing in front.
        finished: called after each stage that was not done before.

    Raises:
        InputError: for a folder of other content or other settings.
    """
    stages = Stages(out, settings)
    codes: list[Code | None] = []
    for subject, experiment_in in subjects.items():
        experiment = experiment_in(stages.folder / subject)
        seconds: dict[str, float] = {}
        notes: dict[str, Any] = results.notes.setdefault(subject, {}) if subject else results.notes
        notes["prespecified"] = _specify(stages, subject, experiment.prespecified)
        front = f"{subject}/" if subject else ""
        for stage, work in experiment.stages().items():
            key = f"{subject} {stage}".strip()
            kept = stages.folder / subject / "measured" / stage.replace(" ", "-")
            if not (kept / "results.json").exists():
                stages.forget(key)
            fresh = key not in stages.seconds
            stages.run(key, partial(_measured, experiment, work, kept, results))
            measured = Results.read(kept)
            seconds[stage] = stages.seconds[key]
            own = measured.figures | experiment.derived(seconds)
            own[f"seconds/{stage.replace(' ', '_')}"] = counted(
                seconds[stage], "s", 1, "stages", "measured once"
            )
            results.figures.update({f"{front}{name}": figure for name, figure in own.items()})
            notes |= measured.notes
            codes.append(measured.code)
            results.code = Code.joined([one for one in codes if one]) if all(codes) else None
            results.write(stages.folder)
            if fresh:
                finished(key)
    return results


def _specify(stages: Stages, subject: str, own: Prespecified) -> dict[str, str]:
    """Write down what is asked before the first stage; its digest, and what was changed since."""
    folder = make_folder(stages.folder / subject)
    own.written(folder)
    first = stages.specified(subject, own.digest)
    changed = changes(folder, own, first)
    return {"question": own.question, "digest": first, "changed": changed}


def _measured(experiment: Experiment[Any], work: Stage, kept: Path, whole: Results) -> None:
    """Do a stage and keep what it measured."""
    figures = work() or {}
    result = Results(
        whole.protocol, whole.preset, whole.seed, whole.rests_on_phantoms, figures,
        dict(experiment.notes), code=Code.of(type(experiment).__module__),
    )  # fmt: skip
    result.write(make_folder(kept))
