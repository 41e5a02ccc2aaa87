"""The one loop in which every network is fitted.

What happens at a step is a function of the recipe's seed and the step's number alone: which cases,
which noise, which units are dropped. So a fit that was killed and resumed ends with the same
weights, bit for bit on the CPU, as one that never was.
"""

from __future__ import annotations

import json
import math
import time
import zlib
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from pydantic import BaseModel
from torch import Tensor, nn

from vesalius.networks.single_volume import at_speed
from vesalius.networks.weights import read_tensors, write_tensors
from vesalius.scans.formats.content import refused_if_damaged
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress, no_progress
from vesalius.scans.writing import make_folder, remove_if_there
from vesalius.training.device import fabric_for, loader_threads
from vesalius.training.loader import Loader
from vesalius.training.objective import Batch, Objective
from vesalius.training.recipe import FitRecipe
from vesalius.training.run import Log

SECONDS_BETWEEN_STATES = 30.0
MOMENTS = frozenset({"step", "exp_avg", "exp_avg_sq"})


def step_seed(seed: int, part: str, step: int, rank: int = 0) -> int:
    """The seed of one step of one part in one process.

    >>> step_seed(0, "denoiser", 5) == step_seed(0, "denoiser", 5) != step_seed(0, "denoiser", 6)
    True
    """
    entropy = [seed, zlib.crc32(part.encode()), step, rank]
    return int(np.random.SeedSequence(entropy).generate_state(1, dtype=np.uint64)[0] >> 1)


def learning_rate(recipe: FitRecipe, step: int) -> float:
    """Linear warm-up, then a cosine down to zero."""
    rise = min(1.0, (step + 1) / max(1, recipe.warmup_steps))
    return recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))


def fit_network(
    objective: Objective,
    cases: int,
    recipe: FitRecipe,
    seed: int,
    part: str,
    folder: Path,
    progress: Progress = no_progress,
    early_at: int = 0,
) -> Objective:
    """Fit the parameters of `objective`, or go on where a killed fit left off.

    Args:
        objective: its loss is averaged over processes.
        cases: rows are generated from `range(cases)`.
        recipe: steps, batch and the rest.
        seed: of the fit.
        part: name of what is fitted, for log and state.
        folder: of the run.
        progress: told after every step.
        early_at: step after which the average of the weights is kept as `objective.early`, 0 for
            none.

    Returns:
        `objective` with the moving average of its weights, or with those of the best validation.

    Raises:
        InputError: if the loss of any process stops being a finite number. The last good state is
            kept.
    """
    if recipe.steps == 0:
        return objective
    fabric = fabric_for(recipe.precision)
    keeper = _State(objective, recipe, folder / "state" / f"{part}.safetensors")
    at_speed(objective.to(fabric.device))
    optimizer = _optimizer(objective, recipe)
    first = keeper.resume(optimizer)
    wrapped, optimizer = fabric.setup(_Shielded(objective), optimizer)
    log = Log(folder / "log.csv", part, first) if fabric.is_global_zero else None
    share = max(1, recipe.batch_size // fabric.world_size)

    def read(step: int) -> tuple[Batch, torch.Generator]:
        rows = _rows(cases, share * fabric.world_size, step_seed(seed, part, step))
        own = rows[fabric.global_rank * share :][:share]
        rng = torch.Generator().manual_seed(step_seed(seed, part, step, 1 + fabric.global_rank))
        return objective.batch(own, rng), rng

    saved = time.monotonic()
    for step, batch, rng in Loader(
        read, range(first, recipe.steps), fabric.device, loader_threads()
    ):
        torch.manual_seed(step_seed(seed, part, step, 1 + fabric.global_rank))
        wrapped.train()
        loss = wrapped(_Shield(batch), rng)
        optimizer.zero_grad()
        fabric.backward(loss)
        norms = [
            nn.utils.clip_grad_norm_(weights, recipe.gradient_clip)
            for weights in objective.clipped_apart()
        ]
        if not _finite_everywhere(fabric, [loss, *norms]):
            if fabric.is_global_zero:
                keeper.save(optimizer, step)
            value = float(loss.detach())
            wrong = "a gradient that is no number" if math.isfinite(value) else f"a loss of {value}"
            fault = f"has {wrong} at step {step} of {part}"
            remedy = f"the state of step {step} is kept: lower the learning rate and go on"
            raise InputError(folder, fault, remedy)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        optimizer.step()
        keeper.average(step)
        done = step + 1
        if done == early_at:
            keeper.early = {name: weight.clone() for name, weight in keeper.mean.items()}
        validated = None
        if recipe.validate_every and (done % recipe.validate_every == 0 or done == recipe.steps):
            validated = keeper.validate(done)
        if log and (done % 10 == 0 or validated is not None or done == recipe.steps):
            log.add(done, float(loss.detach()), validated)
        if fabric.is_global_zero and time.monotonic() - saved > SECONDS_BETWEEN_STATES:
            keeper.save(optimizer, done)
            saved = time.monotonic()
        progress(f"fitting {part.replace('_', ' ')}", done, recipe.steps)
    if log:
        log.finish()
    keeper.finish()
    return objective.eval()


class _Shield:
    """A batch that no wrapper converts: Fabric would bring images to bfloat16 before any layer."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


class _Shielded(nn.Module):
    """An objective that is handed its batch in a shield."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, shield: _Shield, rng: torch.Generator) -> Tensor:
        loss: Tensor = self.objective(shield.batch, rng)
        return loss


def _optimizer(objective: nn.Module, recipe: FitRecipe) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        objective.parameters(), recipe.learning_rate, betas=recipe.betas,
        weight_decay=recipe.weight_decay, fused=True,
    )  # fmt: skip


def _finite_everywhere(fabric: Fabric, values: list[Tensor]) -> bool:
    """Whether loss and gradients of every process are finite, so that all end when one does."""
    finite = (
        torch.stack([torch.isfinite(one.detach()).to(values[0].device) for one in values])
        .all()
        .float()
    )
    if fabric.world_size > 1:
        finite = fabric.all_reduce(finite, reduce_op="min")  # type: ignore[assignment]
    return bool(finite)


def _rows(cases: int, count: int, seed: int) -> Tensor:
    """`count` case numbers, none twice before all came once."""
    rng = torch.Generator().manual_seed(seed)
    rounds = [torch.randperm(cases, generator=rng) for _ in range(math.ceil(count / cases))]
    return torch.cat(rounds)[:count]


class _Kept(BaseModel):
    """Numbers beside the tensors of a state."""

    step: int
    best_loss: float
    best_step: int


def _moments(
    tensors: dict[str, Tensor], weights: list[nn.Parameter], steps: int
) -> dict[int, dict[str, Tensor]]:
    """The optimiser's moments by number of the weight, each of the weight's shape."""
    result: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split("/")
        if key != "step" and tensor.shape != weights[int(index)].shape:
            raise ValueError("moments of another network")
        # Laid out as the weight is, which a fused optimiser relies on.
        alike = tensor if key == "step" else torch.empty_like(weights[int(index)].detach())
        result.setdefault(int(index), {})[key] = alike.copy_(tensor)
    for one in result.values():  # weights that no loss has reached yet have none
        if frozenset(one) != MOMENTS or not 0 <= float(one["step"]) <= steps:
            raise ValueError("moments of another optimiser")
    return result


class _State:
    """Weights and buffers, the weights' moving average, the best ones, moments: all on disk."""

    def __init__(self, objective: Objective, recipe: FitRecipe, path: Path) -> None:
        self.objective, self.recipe, self.path = objective, recipe, path
        self.weights: dict[str, nn.Parameter] = dict(objective.named_parameters())
        self.mean = {name: w.detach().clone() for name, w in self.weights.items()}
        self.best: dict[str, Tensor] = {}
        self.best_buffers: dict[str, Tensor] = {}
        self.best_loss, self.best_step = math.inf, 0
        self.early: dict[str, Tensor] = {}

    def average(self, step: int) -> None:
        """Update the moving average, which starts short so that early weights are forgotten."""
        decay = min(self.recipe.moving_average, (1 + step) / (10 + step))
        names = list(self.weights)
        here = [self.weights[name].detach() for name in names]
        for name, weight in zip(names, here, strict=True):
            self.mean[name] = self.mean[name].to(weight.device)
        torch._foreach_lerp_([self.mean[name] for name in names], here, 1 - decay)

    def validate(self, step: int) -> float:
        """The validation loss of the averaged weights; the best ones are remembered."""
        current = {name: w.detach().clone() for name, w in self.weights.items()}
        self._put(self.mean)
        self.objective.eval()
        with torch.no_grad(), fabric_for(self.recipe.precision).autocast():
            loss = self.objective.validation_loss()
        if loss < self.best_loss:
            self.best_loss, self.best_step = loss, step
            self.best = {name: w.clone() for name, w in self.mean.items()}
            buffers = self.objective.named_buffers()
            self.best_buffers = {name: b.detach().clone() for name, b in buffers}
        self._put(current)
        return float(loss)

    def finish(self) -> None:
        """Leave the averaged or the best weights in the objective, and the state behind."""
        self.objective.early = self.early or None
        self._put(self.best or self.mean)
        for name, buffer in self.best_buffers.items():
            self.objective.get_buffer(name).copy_(buffer)
        remove_if_there(self.path)

    def save(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Write everything that the next step depends on."""
        tensors: dict[str, Tensor] = {f"weight/{n}": w for n, w in self.weights.items()}
        tensors |= {f"buffer/{n}": b for n, b in self.objective.named_buffers()}
        tensors |= {f"mean/{n}": w for n, w in self.mean.items()}
        tensors |= {f"best/{n}": w for n, w in self.best.items()}
        tensors |= {f"best_buffer/{n}": b for n, b in self.best_buffers.items()}
        tensors |= {f"early/{n}": w for n, w in self.early.items()}
        for index, moments in optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"moment/{index}/{key}"] = torch.as_tensor(value)
        kept = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        reported = json.dumps(
            {"step": step, "best_loss": repr(self.best_loss), "best_step": self.best_step}
        )
        write_tensors(make_folder(self.path.parent) / self.path.name, kept, {"told": reported})

    def resume(self, optimizer: torch.optim.Optimizer) -> int:
        """Take up a state if there is one; returns the step to go on with."""
        if not self.path.exists():
            return 0
        remedy = "remove it: the fit begins this part anew"
        tensors, texts = read_tensors(self.path, remedy)
        with refused_if_damaged(self.path, "is no state of this fit", remedy):
            reported = _Kept.model_validate_json(texts["told"])
            groups: dict[str, dict[str, Tensor]] = {}
            for name, tensor in tensors.items():
                kind, _, rest = name.partition("/")
                groups.setdefault(kind, {})[rest] = tensor
            buffers = dict(self.objective.named_buffers())
            self._require_like(groups, buffers, reported)
            state = optimizer.state_dict()
            state["state"] = _moments(
                groups.get("moment", {}), list(self.weights.values()), self.recipe.steps
            )
            with torch.no_grad():
                for name, weight in self.weights.items():
                    weight.copy_(groups["weight"][name])
                for name, buffer in buffers.items():
                    buffer.copy_(groups["buffer"][name])
            optimizer.load_state_dict(state)
        self.mean = groups["mean"]
        self.best, self.best_buffers = groups.get("best", {}), groups.get("best_buffer", {})
        self.early = groups.get("early", {})
        self.best_loss, self.best_step = reported.best_loss, reported.best_step
        return reported.step

    def _require_like(
        self, groups: dict[str, dict[str, Tensor]], buffers: dict[str, Tensor], reported: _Kept
    ) -> None:
        """Raise where a state lacks a tensor, or has one of another shape, before any is taken."""
        if not 0 <= reported.step <= self.recipe.steps:
            raise ValueError(f"step {reported.step} of {self.recipe.steps}")
        for kind, wanted in (
            ("weight", self.weights), ("mean", self.weights), ("best", self.weights),
            ("early", self.weights), ("buffer", buffers), ("best_buffer", buffers),
        ):  # fmt: skip
            result = groups.get(kind, {})
            if kind.startswith(("best", "early")) and not result:
                continue
            shapes = {name: tuple(tensor.shape) for name, tensor in result.items()}
            if shapes != {name: tuple(tensor.shape) for name, tensor in wanted.items()}:
                raise ValueError(f"{kind} of another network")

    def _put(self, values: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(values[name])
