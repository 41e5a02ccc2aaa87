"""Figures of cases that are generated while a network trains, as the documents show them."""

from __future__ import annotations

from vesalius.evidence.results import Results
from vesalius.report.sections import grid, shown

ARMS = ("in_advance", "on_the_fly")


def on_the_fly_table(results: Results) -> str:
    """New cases in every epoch beside the same ones each time, as Markdown."""
    figures, notes = results.figures, results.notes
    gap, seconds = figures["on_the_fly_minus_in_advance/dice"], figures["seconds_a_case"]
    low, high = gap.ci95 or (gap.value, gap.value)
    verdict = "better than" if low > 0 else "worse than" if high < 0 else "not better than"
    shown_once = notes["cases"] * notes["epochs"]
    columns = {"Dice of the ventricles, unseen phantoms": "{row}/dice"}
    return "\n".join([
        f"New cases in every epoch are {verdict} the same cases in each: "
        f"{shown(gap)} Dice.", "",
        *grid(figures, ARMS, columns, "cases").markdown, "",
        f"{notes['cases']} cases an epoch, {notes['epochs']} epochs: {notes['cases']} in all made "
        f"in advance, {shown_once} on the fly. {len(notes['seeds'])} trainings of each arm on "
        f"{gap.n} {gap.counts}; intervals over cases, crossed with trainings. "
        f"A case took {shown(seconds)} s to generate.",
    ])  # fmt: skip
