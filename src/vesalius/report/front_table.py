"""The table of the README: one row a method, its question, its figure, the strongest rival.

Read from the results of the demos alone; which rival stands beside a figure is settled by its
value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.evidence.figure import Figure
from vesalius.evidence.results import Results
from vesalius.report import (
    lumbar_conclusions,
    osteoarthritis_page,
    robustness_page,
    volumes_conclusions,
)
from vesalius.report.proof_conclusions import RIVALS, WITHOUT_SYNTHETIC
from vesalius.report.rivals import Rival, rivals_of
from vesalius.report.sections import figures_of, shown
from vesalius.report.verdict import verdict

BEGIN, END = "<!-- evidence: begin -->", "<!-- evidence: end -->"
HEAD = (
    "| question | figure | with Vesalius | strongest rival | difference, paired | n |",
    "|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Question:
    """One row.

    Attributes:
        experiment: whose demo answers it.
        subject: of it, such as an organ; empty where there is one alone.
        asked: the question, linked to `page`.
        page: of the documents.
        by: name of the figure in words.
        own: name of the figure.
        rival: name of a rival's figure, with `{}` for the rival.
        gap: name of the difference to it, likewise.
        rivals: names in figures, and in words, of those that figures may hold.
        lower: whether lower is better.
    """

    experiment: str
    subject: str
    asked: str
    page: str
    by: str
    own: str
    rival: str
    gap: str
    rivals: Callable[[Mapping[str, Figure]], Mapping[str, str]]
    lower: bool = False

    def row(self, figures: Mapping[str, Figure]) -> str:
        """Its line in Markdown."""
        known = figures_of(figures, self.subject) if self.subject else figures
        own = known[self.own]
        best = self._strongest(rivals_of(known, self.rival, self.gap, self.rivals(known)))
        better, worse = ("worse", "better") if self.lower else ("better", "worse")
        said = verdict(best.gap, better, worse, "not better") or "not paired"
        gap = f"{shown(best.gap)}: {said}" if best.gap else said
        cells = (
            f"[{self.asked}]({self.page})", self.by, shown(own),
            f"{best.name}, {shown(best.own)}", gap, f"{own.n} {own.counts}".strip(),
        )  # fmt: skip
        return f"| {' | '.join(cells)} |"

    def _strongest(self, rivals: Sequence[Rival]) -> Rival:
        chosen = min if self.lower else max
        return chosen(rivals, key=lambda one: one.own.value)


QUESTIONS = (
    Question(
        "ventricles", "", "Do synthetic scans help to measure large ventricles?",
        "docs/methods/guided-synthesis.md", "volume error (mL), lower is better",
        "utility/augmented/volume_mae_ml", "utility/{}/volume_mae_ml",
        "utility/augmented_minus_{}/volume_mae_ml",
        lambda _: {name: RIVALS[name] for name in WITHOUT_SYNTHETIC},
        lower=True,
    ),
    Question(
        "lumbar", "", "Do inpainted herniations look like real ones?",
        "docs/methods/pathology-inpainting.md", "Fréchet distance, lower is better",
        "fidelity/herniation/voxelwise_trained/fid", "fidelity/herniation/{}/fid",
        "fidelity/herniation/voxelwise_trained_minus_{}/fid", lambda _: lumbar_conclusions.RIVALS,
        lower=True,
    ),
    Question(
        "volumes", "breast", "Does pre-training on generated volumes help a segmenter?",
        "docs/methods/whole-volumes.md", "gain in Dice with one labelled case in twenty",
        "pretraining/primary/dice_gain", "pretraining/primary/{}_gain",
        "pretraining/primary/synthetic_minus_{}", lambda _: volumes_conclusions.RIVALS,
    ),
    Question(
        "robustness", "radiograph", "Do maps of robust classifiers point at the disease?",
        "docs/methods/interpretable-classifiers.md", "average precision of pixels",
        "dual/pixel_precision", "{}/pixel_precision", "dual_minus_{}/pixel_precision",
        lambda _: robustness_page.RIVALS,
    ),
    Question(
        "osteoarthritis", "", "Does a predicted picture say who progresses fast?",
        "docs/methods/progression.md", "AUC", "risk/extrapolation/auc", "risk/{}/auc",
        "risk/extrapolation_minus_{}/auc", osteoarthritis_page.ranking,
    ),
)  # fmt: skip


def evidence_table(results: Mapping[str, Results]) -> str:
    """The rows of all experiments that have been measured, as Markdown.

    Args:
        results: of the demos, by experiment.
    """
    rows = [
        question.row(results[question.experiment].figures)
        for question in QUESTIONS if question.experiment in results
    ]  # fmt: skip
    old = [
        f"{name} ({one.code_changed['on']})"
        for name, one in results.items() if one.code_changed
    ]  # fmt: skip
    note = (
        "All on phantoms, by the demos on two cores; in brackets 95 % intervals. The "
        "strongest rival is the one with the best figure of all that were measured."
    )
    if old:
        note += f" Measured with earlier code, as marked on the pages: {', '.join(old)}."
    return "\n".join([*HEAD, *rows, "", note])


def demos(folder: Path) -> dict[str, Results]:
    """Results of the demos in a folder of results files, by experiment."""
    return {
        question.experiment: Results.of_file(path)
        for question in QUESTIONS
        if (path := folder / f"{question.experiment}-demo.json").exists()
    }


def with_evidence(page: str, folder: Path) -> str:
    """The text of the README with its table filled from a folder of results files."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{evidence_table(demos(folder))}\n{END}{after}"
