"""What a machine takes: memory, waiting, sharing and sampling, as tables for the documents."""

from __future__ import annotations

from vesalius.evidence.results import Results
from vesalius.report.sections import names, shown

DEVICES = {"cpu": "processor", "h100": "one H100"}


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


def plans_table(results: Results) -> str:
    """Time and memory of a fit by spacing, on a processor and on a GPU, as Markdown."""
    figures, rows = results.figures, []
    for plan in [key.removesuffix("/minutes") for key in figures if key.endswith("/minutes")]:
        _, preset, spacing, device = plan.split("/")
        minutes, memory = (figures[f"{plan}/{name}"].value for name in ("minutes", "memory_gb"))
        rows.append(
            f"| {spacing.replace('_', ' ')}, `--preset {preset}` | {DEVICES[device]} | "
            f"{_time(minutes)} | {memory:.1f} GB |"
        )
    return "\n".join([
        "| guided synthesis of brains at | on | fit takes | memory |", "|---|---|---|---|", *rows,
        "", f"Planned, not measured: {results.machine['cores']} cores with bfloat16; one H100 at "
        "12 % of its peak, which is an assumption and leaves out all that is not computing.",
    ])  # fmt: skip


def _time(minutes: float) -> str:
    """Minutes in the unit that suits them.

    >>> _time(0.02), _time(14.2), _time(300.0), _time(60 * 24 * 11.0), _time(7.7e6)
    ('under a minute', '14 min', '5 h', '11 days', '15 years')
    """
    for unit, length, most in (("min", 1, 90), ("h", 60, 48 * 60), ("days", 1440, 730 * 1440)):
        if minutes < most:
            return f"{minutes / length:.0f} {unit}" if minutes >= 1 else "under a minute"
    return f"{minutes / (365 * 1440):.0f} years"
