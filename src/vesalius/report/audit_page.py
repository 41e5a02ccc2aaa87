"""The page of an audit: the verdict, what to withhold, and the rates beside which it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vesalius.evidence.audit import Withheld
from vesalius.evidence.copies import audit_verdict
from vesalius.evidence.results import Results
from vesalius.report.pictures import similarity_and_lead
from vesalius.report.rendering import write_page
from vesalius.report.sections import Page, Picture, Table, figures_table, grid, names, section

NEAREST = (
    "A copy is nearer to one training case than held-out cases are, and leads the next nearest by "
    "more than they do: top right of the dashed lines, three SD above the held-out cases."
)


def write_audit_report(results: Results, withheld: Sequence[Withheld], path: Path) -> Path:
    """Write one self-contained page about an audit."""
    listed = tuple(
        (one.case, (one.copy_of.case, one.copy_of.found_by, one.similarity)) for one in withheld
    )
    columns = ("training case", "found by", "similarity")
    page = Page(
        "audit", results, [
            section("Similarity to training cases", similarity_picture(results.notes, NEAREST)),
            section("To withhold", Table(columns, listed, "case")),
            section("Figures", figures_table(results.figures)),
        ], [audit_verdict(results.figures)], phantoms=results.rests_on_phantoms,
    )  # fmt: skip
    return write_page(page, path)


def similarity_picture(notes: dict[str, Any], caption: str) -> Picture | None:
    """Each case by its similarity to the nearest training case and the lead of that one."""
    if "similarity" not in notes:
        return None
    similar = {way: own for way, own in notes["similarity"].items() if "lead_threshold" in own}
    alt = "similarity to the nearest training case"
    return Picture(similarity_and_lead(similar), alt, caption)


def copies_table(results: Results) -> str:
    """How many planted copies the audit finds on phantoms of each organ, as Markdown."""
    figures, organs = results.figures, results.notes["organs"]
    kinds = names(figures, "copies/{}/detected")
    count = figures[f"copies/{organs[0]}/{kinds[0]}/detected"].n
    rows = {kind.replace("_", " "): f"{kind}/detected" for kind in kinds} | {
        "other patients, called copies": "others/called_copies",
        "the same without held-out cases": "others/called_copies_without_held_out",
    }
    columns = {f"{organ} (n = {count})": f"copies/{organ}/{{row}}" for organ in organs}
    table = grid(figures, rows, columns | {"all": "copies/{row}"}, "planted copy")
    seconds = [figures[f"copies/{organ}/seconds_per_case"].value for organ in organs]
    others = figures[f"copies/{organs[0]}/others/called_copies"].n
    note = (
        f"Shares of cases, in brackets 95 % bootstrap intervals over cases; "
        f"{results.notes['training_cases']} training and "
        f"{results.notes['held_out_cases']} held-out phantoms of each organ, {others} other "
        f"ones; {min(seconds):.2f} to {max(seconds):.2f} s a case on "
        f"{results.machine['cores']} cores."
    )
    return "\n".join([*table.markdown, "", note])
