"""`--device`, `--precision`, `--threads`, `--workers` on commands that compute, and `--track`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from cyclopts import Group, Parameter

from vesalius.api.computing import computing
from vesalius.scans.computing import Precision, Tracker, be_friendly

GROUP = Group("Computing", sort_key=100)
SHARED = {
    "device": Annotated[str | None, Parameter(group=GROUP, help=(
        "auto, cpu, cuda, cuda:1 or mps; auto takes a GPU of CUDA if there is one. With "
        "--dry-run also a100, h100, h200, l40s or rtx4090."))],
    "precision": Annotated[Precision | None, Parameter(group=GROUP, help=(
        "Of the arithmetic, instead of what the recipe says."))],
    "threads": Annotated[int | None, Parameter(group=GROUP, help="Of one process.")],
    "workers": Annotated[int | None, Parameter(group=GROUP, help=(
        "Threads that read cases while a step computes; processes that share the work by case."))],
    "cluster": Annotated[str | None, Parameter(group=GROUP, help=(
        "Address of a Dask scheduler, such as tcp://host:8786, that shares the work by case."))],
    "trackers": Annotated[list[Tracker] | None, Parameter(name="--track", group=GROUP, help=(
        "Send losses to TensorBoard (into the run) or MLflow (MLFLOW_TRACKING_URI) as well. May be "
        "repeated."))],
}  # fmt: skip


FITTING = tuple(SHARED)
"""Options of commands that fit."""
COMPUTING = tuple(name for name in SHARED if name != "trackers")
"""Options of commands that compute."""
SHARING = ("workers", "cluster")
"""Options of commands that read cases and compute nothing else."""


def with_computing(
    command: Callable[..., None], options: Sequence[str] = COMPUTING
) -> Callable[..., None]:
    """A command with these options, which decide before it does anything."""

    @functools.wraps(command)
    def wrapped(*positional: Any, **given: Any) -> None:
        be_friendly()
        chosen = {name: given.pop(name) for name in options if name in given}
        computing(**chosen)
        command(*positional, **given)

    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())
    kind = inspect.Parameter.KEYWORD_ONLY
    own += [
        inspect.Parameter(name, kind, default=None, annotation=annotation)
        for name, annotation in SHARED.items()
        if name in options and name not in signature.parameters
    ]  # fmt: skip
    wrapped.__signature__ = signature.replace(parameters=own)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in own} | {"return": None}
    return wrapped
