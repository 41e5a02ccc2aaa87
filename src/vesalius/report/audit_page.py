"""The page of an audit: the verdict, what to withhold, and the rates beside which it stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vesalius.evidence.audit import Withheld
from vesalius.evidence.copies import audit_rates
from vesalius.evidence.figure import Results
from vesalius.report.pictures import similarity_and_lead
from vesalius.report.rendering import figures_table, rendered, shown
from vesalius.scans.writing import make_folder, write_text


def write_audit_report(results: Results, withheld: Sequence[Withheld], path: Path) -> Path:
    """Write one self-contained page about an audit."""
    copies = results.figures["memorisation/copies"]
    similar = {way: own for way, own in results.notes["similarity"].items()
               if "lead_threshold" in own}  # fmt: skip
    edited = results.figures["memorisation/edited"].value
    verdict = f"{copies.value:.0f} of {copies.n} synthetic cases are called copies. "
    if edited:
        verdict += f"{edited:.0f} were edited from a training case, as they say. "
    verdict += audit_rates()
    content = {
        "title": "audit", "phantoms": results.rests_on_phantoms, "finished": True,
        "conclusions": [verdict], "withheld": withheld, "picture": similarity_and_lead(similar),
        "table": figures_table(results.figures), "figures": {},
        "results": results,
    }  # fmt: skip
    make_folder(path.parent)
    write_text(path, rendered("audit.html.j2", content))
    return path


def copies_table(results: Results) -> str:
    """How many planted copies the audit finds on phantoms of each organ, as Markdown."""
    figures = results.figures
    organs = results.notes["organs"]
    kinds = [key.split("/")[1] for key in figures if key.startswith("copies/") and
             key.count("/") == 2 and key.endswith("/detected")]  # fmt: skip
    count = figures[f"copies/{organs[0]}/{kinds[0]}/detected"].n
    lines = [
        f"| planted copy | {' | '.join(f'{organ} (n = {count})' for organ in organs)} | all |",
        f"|---|{'---|' * (len(organs) + 1)}",
    ]
    rows = [(f"{kind}/detected", kind.replace("_", " ")) for kind in kinds]
    rows += [
        ("others/called_copies", "other patients, called copies"),
        ("others/called_copies_without_held_out", "the same without held-out cases"),
    ]
    for key, name in rows:
        cells = [shown(figures[f"copies/{organ}/{key}"]) for organ in organs]
        lines.append(f"| {name} | {' | '.join(cells)} | {shown(figures[f'copies/{key}'])} |")
    seconds = [figures[f"copies/{organ}/seconds_per_case"].value for organ in organs]
    others = figures[f"copies/{organs[0]}/others/called_copies"].n
    lines += [
        "",
        f"Shares of cases, in brackets 95 % bootstrap intervals over cases; "
        f"{results.notes['training_cases']} training and "
        f"{results.notes['held_out_cases']} held-out phantoms of each organ, {others} other "
        f"ones; {min(seconds):.2f} to {max(seconds):.2f} s a case on "
        f"{results.machine['cores']} cores.",
    ]
    return "\n".join(lines)
