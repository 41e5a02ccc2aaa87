"""An experiment in strands, one for each organ or kind of data, each going through its own stages.

What a stage measured is kept beside its files, so a run that goes on, or takes up another strand
later, reads it instead of measuring again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vesalius.evidence.figure import Figure, Results
from vesalius.experiments.stages import Stages
from vesalius.scans.writing import make_folder

Measured = tuple[dict[str, Figure], dict[str, Any]]
Work = Callable[[], Measured]
"""Does a stage, and gives its figures and notes."""


def nothing_derived(arm: str, seconds: Mapping[str, float]) -> dict[str, Figure]:
    """No figure that follows from how long stages took."""
    return {}


def run_arms(
    stages: Stages,
    results: Results,
    arms: Mapping[str, Mapping[str, Work]],
    finished: Callable[[str], None],
    derived: Callable[[str, Mapping[str, float]], dict[str, Figure]] = nothing_derived,
) -> Results:
    """Go through every stage of every strand that was not done yet; `results.json` grows with each.

    Args:
        stages: of the whole experiment.
        results: to which the figures of each strand are added, its name in front.
        arms: their stages by name; one without a name puts nothing in front.
        finished: called after each stage that was not done before.
        derived: figures that follow from the seconds of a strand's finished stages.
    """
    for arm, works in arms.items():
        seconds: dict[str, float] = {}
        notes: dict[str, Any] = results.notes.setdefault(arm, {}) if arm else results.notes
        front = f"{arm}/" if arm else ""
        for stage, work in works.items():
            key = f"{arm} {stage}".strip()
            kept = stages.folder / arm / "measured" / stage.replace(" ", "-")
            fresh = key not in stages.seconds
            stages.run(key, partial(_kept, work, kept, results))
            measured = Results.read(kept)
            seconds[stage] = stages.seconds[key]
            own = measured.figures | derived(arm, seconds)
            own[f"seconds/{stage.replace(' ', '_')}"] = Figure(seconds[stage], "s", 1)
            results.figures.update({f"{front}{name}": figure for name, figure in own.items()})
            notes |= measured.notes
            results.write(stages.folder)
            if fresh:
                finished(key)
    return results


def _kept(work: Work, folder: Path, whole: Results) -> None:
    figures, notes = work()
    found = Results(whole.protocol, whole.preset, whole.seed, True, figures, notes)
    found.write(make_folder(folder))
