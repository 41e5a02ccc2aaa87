"""What a machine takes: memory, waiting, sharing and sampling, as tables for the documents."""

from __future__ import annotations

from vesalius.evidence.results import Results
from vesalius.report.sections import names, shown


def machine_table(results: Results) -> str:
    """Every figure of a benchmark of the machine, a row each, as Markdown."""
    rows = [
        f"| {name.partition('/')[2].replace('/', ', ').replace('_', ' ')} | "
        f"{shown(figure)} {figure.unit}".rstrip()
        + f" | {figure.n} |"
        for name, figure in results.figures.items()
    ]
    machine = f"On {results.machine['cores']} cores, one run; n as the benchmark counts it."
    return "\n".join(["| figure | value | n |", "|---|---|---|", *rows, "", machine])


def memory_table(results: Results) -> str:
    """Peak memory of each command with few and with many cases, as Markdown."""
    figures = results.figures
    commands = names(figures, "memory/{}/peak_ratio_400_to_40")
    rows = []
    for name in commands:
        few, many = (figures[f"memory/{name}/peak_gb_{n}"] for n in (40, 400))
        ratio = figures[f"memory/{name}/peak_ratio_400_to_40"]
        rows.append(f"| {name} | {few.value:.2f} | {many.value:.2f} | {ratio.value:.3f} |")
    large = {key: figures[f"memory/volumes_2000/{key}"].value for key in ("peak_gb", "resident_gb")}
    limit = results.notes["limit_bytes_of_2000"] / 1e9
    return "\n".join([
        "| command | 40 cases, GB | 400 cases, GB | ratio |", "|---|---|---|---|", *rows, "",
        f"Memory that cannot be given back, phantoms at the smallest preset, one run each. A fit "
        f"of volumes on {figures['memory/volumes_2000/peak_gb'].n} phantoms of 64³ took "
        f"{large['peak_gb']:.2f} GB of it, {large['resident_gb']:.2f} GB with the pages of "
        f"mapped files, under a limit of {limit:.0f} GB.",
    ])  # fmt: skip
