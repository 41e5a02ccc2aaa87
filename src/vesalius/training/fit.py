"""A fit from cohort to run, the same for every method.

Read, measure, plan, then each part in its turn: seeded, fitted or solved, written. A run that was
killed at any point is gone on with by the same call.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vesalius.scans.cards import CARDS
from vesalius.scans.computing import chosen_device, chosen_precision
from vesalius.scans.progress import Progress, no_progress
from vesalius.training.device import compute_device, fabric_for, precision_here
from vesalius.training.loop import fit_network, step_seed
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.objective import Objective
from vesalius.training.plan import Plan, planned
from vesalius.training.run import Run

WITHOUT_BFLOAT16 = (
    "this device has no hardware for bfloat16: computed in 32 bits (--precision decides otherwise)"
)


@dataclass(frozen=True)
class Prepared:
    """A cohort that was read, and the plan of what is fitted on it. Nothing is written yet."""

    method: Method[Any]
    data: Data
    plan: Plan


def prepare(
    method: Method[Any], source: Any, recipe: Any, reading: Reading | None = None,
    **inputs: Any,
) -> Prepared:  # fmt: skip
    """Read a cohort and plan a fit.

    Args:
        method: from `vesalius.methods`.
        source: path of the cohort, or what was read of it, as far as the method takes that.
        recipe: settings.
        reading: who is called with progress, and where faults go.
        inputs: further arguments of the method's `read`.

    Raises:
        InputError: for data that cannot be learnt from, or a plan that does not fit this machine.
    """
    if chosen_device() not in CARDS:
        compute_device()  # a device that is not there is refused before the cohort is read
    given = Path(source) if isinstance(source, str) else source
    return plan_fit(method, method.read(given, recipe, reading or Reading(), **inputs))


def plan_fit(method: Method[Any], data: Data) -> Prepared:
    """Plan the fit of data that was read.

    Raises:
        InputError: for a plan that does not fit this machine.
    """
    parts = [part for part in method.parts(data) if part.recipe]
    asked = chosen_device()
    card = asked if asked in CARDS else ""
    emulated = not card and chosen_precision() is None and any(
        part.recipe and precision_here(part.recipe.precision) != part.recipe.precision
        for part in parts
    )  # fmt: skip
    decisions = (*data.decisions, *([WITHOUT_BFLOAT16] if emulated else []))
    fits = tuple(planned(part) for part in parts)
    plan = Plan(fits, data.held_bytes, decisions, data.disk_bytes, card)
    plan.require_room()
    return Prepared(method, data, plan)


def fit(prepared: Prepared, out: str | Path, progress: Progress = no_progress) -> Run[Any]:
    """Fit all parts, or go on with a fit that was killed.

    Args:
        prepared: see `prepare`.
        out: folder of the run.
        progress: called after each case and step.

    Raises:
        InputError: if the folder holds another run, or for a loss that is not finite.
    """
    method, data = prepared.method, prepared.data
    compute_device()
    prepared.plan.require_disk(out)
    run = Run.create(out, data.recipe, data.fingerprint)
    torch.manual_seed(data.recipe.seed)
    parts = method.parts(data)
    for name, content in data.notes.items():
        run.note(name, content)
    for place, part in enumerate(parts):
        _finish_part(part, parts[place + 1 :], data.recipe.seed, run, progress)
    fabric = fabric_for()
    fabric.barrier()
    if fabric.is_global_zero:
        for part in parts:
            if not part.kept:
                run.forget(part.name)
    method.finish(data, run, progress)
    run.write_card(_card(method, data, run))
    fabric.barrier()
    if fabric.is_global_zero:
        run.finish()
    return run


def _finish_part(
    part: Part, later: Sequence[Part], seed: int, run: Run[Any], progress: Progress
) -> None:
    """Load a part, or learn and write it; one that no missing part needs is passed over."""
    if run.has(part.name):
        run.load(part.name, part.network)
    elif not part.kept and all(run.has(one.name) for one in later if one.kept):
        return
    else:
        torch.manual_seed(step_seed(seed, part.name, 0))
        given = part.inputs(run, progress) if part.inputs else None
        if part.solve is not None:
            with fabric_for().rank_zero_first():
                part.solve(run, progress)
        else:
            assert part.objective and part.recipe
            part.network.requires_grad_(True)
            objective = part.objective(given)
            early_at = round(part.early * part.recipe.steps)
            fit_network(
                objective, part.cases, part.recipe, seed, part.name, run.folder, progress, early_at
            )
            if part.early:
                early = early_network(objective, part.network)
                run.save(early_name(part.name), early)
        run.save(part.name, part.network)
    part.network.eval()
    part.after(run, progress)


def early_name(part: str) -> str:
    """Of the weights that a part had at an early step."""
    return f"{part}_early"


@torch.no_grad()
def early_network(objective: Objective, network: nn.Module) -> nn.Module:
    """A copy of a fitted network with the weights of an early step; as it is where it took none.

    Args:
        objective: that holds the network and has fitted it.
        network: whose weights are meant.
    """
    names, weights = {id(own): name for name, own in objective.named_parameters()}, objective.early
    early = deepcopy(network)
    if weights is None:
        return early
    for own, weight in zip(network.parameters(), early.parameters(), strict=True):
        weight.copy_(weights[names[id(own)]])
    return early


def _card(method: Method[Any], data: Data, run: Run[Any]) -> list[str]:
    """The run's own description, for people."""
    fingerprint = run.fingerprint
    phantom = "**Fitted on phantoms, not on patients.** " if fingerprint.origin == "phantom" else ""
    return [
        f"# Run {run.name}: {method.title}",
        "",
        f"{phantom}Fitted on {fingerprint.counted}.",
        "",
        *(f"- {line}" for line in method.card(data, run)),
        f"- preset {data.recipe.preset}, seed {data.recipe.seed}",
        "",
        method.caution,
    ]
