"""`vesalius fit`: one command a method, made of what the method lets a user choose."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from vesalius.api.console import bars, console
from vesalius.api.fitting import fit_prepared, plan, require_device
from vesalius.cli.computing import FITTING, with_computing
from vesalius.cli.terminal import print_faults
from vesalius.methods import method, names
from vesalius.training.method import Method, Reading, keywords

DryRun = Annotated[bool, Parameter(name=("--dry-run", "--plan-only"), negative="")]
"""Its second name is that of earlier versions."""

COMMON = """Killed at any point, the same command goes on where it was.

Parameters
----------
data: Path
    What is learnt from, see above.
out: Path
    Folder of the run.
recipe: Path
    File of all settings, in place of the preset and of what goes with it: recipe.json of a run
    with any entry changed, or the like in YAML.
dry_run: bool
    Say what the fit needs of memory, disk and minutes, and stop.
"""


def add_methods(app: App) -> None:
    """Make a command of each method that is known and has none yet."""
    present = set(app)
    for name in names():
        if name not in present:
            own = method(name)
            app.command(with_computing(command_of(own), FITTING), name=[own.name, *own.aliases])


def command_of(own: Method[Any]) -> Callable[..., None]:
    """The command of a method: its own options beside those that all fits share."""
    chosen, further = keywords(own.recipe), keywords(own.read)

    def command(
        data: Path, *, out: Path, recipe: Path | None = None, dry_run: bool = False,
        **given: Any,
    ) -> None:  # fmt: skip
        if not dry_run:
            require_device()
        with bars() as progress:
            reading = Reading(progress)
            prepared = plan(own.name, data, out=out, reading=reading, recipe=recipe, **given)
            print_faults(reading.faults)
            for line in prepared.plan.lines():
                console.print(f"[dim]plan[/] {line}")
            if dry_run:
                return
            run = fit_prepared(prepared, out, progress)
        console.print(f"{run.folder}: run {run.name} is ready; card in {run.folder / 'card.md'}")

    shared = inspect.signature(command).parameters
    kind = inspect.Parameter.KEYWORD_ONLY
    order = [
        shared["data"].replace(annotation=Path), shared["out"].replace(annotation=Path),
        *(one.replace(kind=kind) for one in (chosen | further).values()),
        shared["recipe"].replace(annotation=Path | None),
        shared["dry_run"].replace(annotation=DryRun),
    ]  # fmt: skip
    command.__signature__ = inspect.Signature(order)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in order}
    command.__doc__ = "\n\n".join(
        [inspect.getdoc(own) or "", _head(own.read), COMMON + _entries(own.recipe, own.read)]
    )
    return command


def _head(function: Callable[..., Any]) -> str:
    """What a docstring says before its sections."""
    said = inspect.getdoc(function) or ""
    for section in ("Parameters\n---", "Raises:"):
        said = said.partition(section)[0]
    return said.strip()


def _entries(*functions: Callable[..., Any]) -> str:
    """The entries of the sections of parameters of some docstrings."""
    result = ""
    for function in functions:
        _, _, section = (inspect.getdoc(function) or "").partition("Parameters\n----------\n")
        result += section.partition("\nRaises:")[0].rstrip() + "\n"
    return result
