"""Volumes from seeds: codes by diffusion, then the decoder tile by tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vesalius import __version__
from vesalius.diffusion.guidance import guided
from vesalius.diffusion.samplers import SAMPLERS, ddpm
from vesalius.diffusion.schedules import even_levels, even_log_snr_levels
from vesalius.scans.case import Scan
from vesalius.scans.cohort import Cohort, CohortWriter
from vesalius.scans.fault import Refused
from vesalius.scans.progress import Progress, followed, silent
from vesalius.synthesis.volumes.model import PARTS, VolumesModel
from vesalius.synthesis.volumes.recipe import VolumesRecipe
from vesalius.training.device import fabric_for
from vesalius.training.requests import Request, require_within
from vesalius.training.run import Run

Sampler = Literal["ddpm", "ddim", "dpm_solver_2m", "heun"]


@dataclass(frozen=True)
class Sampling:
    """How codes are drawn.

    Attributes:
        sampler: `ddpm` draws ancestrally, the others follow the flow.
        steps: of it.
        guidance: scale of classifier-free guidance.
    """

    sampler: Sampler
    steps: int
    guidance: float


class VolumePainter:
    """Draws volumes with the networks of a run, one case at a time.

    A case is computed alone, so it does not depend on what else is drawn, in which order or where.

    Args:
        run: a finished run of whole volumes.
        sampling: how; the recipe's way if `None`.
    """

    def __init__(self, run: Run, sampling: Sampling | None = None) -> None:
        recipe = run.recipe
        assert isinstance(recipe, VolumesRecipe)
        self.fingerprint = run.fingerprint
        self.sampling = sampling or sampling_of(recipe)
        self.model = VolumesModel(recipe, run.fingerprint)
        self.fabric = fabric_for("bf16-mixed")
        for part in PARTS:
            run.load(part, self.model.part(part))
            self.model.part(part).to(self.fabric.device).eval()
        self._code = (recipe.code_channels, *self.model.code_shape)

    @torch.no_grad()
    def volume(self, seed: int, request: Request | None = None) -> Scan:
        """A volume in the space and the units of the cohort, asked to have these attributes."""
        code = self.code(seed, request)
        with self.fabric.autocast():
            image = self.model.autoencoder.decode_in_tiles(code)[0]
        voxels = self.fingerprint.unscaled(image.float().cpu().numpy()).astype(np.float32)
        return Scan(tuple(self.fingerprint.grid.volume(channel) for channel in voxels))

    @torch.no_grad()
    def code(self, seed: int, request: Request | None = None) -> Tensor:
        """A code `(1, K, D, H, W)` before quantisation."""
        schedule, how = self.model.schedule, self.sampling
        condition = self.model.condition([dict(request or {})]).to(self.fabric.device)
        lean = guided(
            self.model.denoiser, condition, torch.zeros_like(condition),
            how.guidance if request else 1.0,
        )  # fmt: skip
        chance = torch.Generator().manual_seed(seed)

        def noise(like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=chance).to(like.device)

        start = noise(torch.empty(1, *self._code, device=self.fabric.device))
        with self.fabric.autocast():
            if how.sampler == "ddpm":
                code = ddpm(lean, start, even_levels(how.steps), schedule, noise)
            else:
                levels = even_log_snr_levels(schedule, how.steps, 0.995, 0.02)
                code = SAMPLERS[how.sampler](lean, start, levels, schedule)
        return self.model.denoiser.unscaled(code.float())


def sampling_of(recipe: VolumesRecipe) -> Sampling:
    """The recipe's own way to draw."""
    return Sampling(recipe.sampler, recipe.sampler_steps, recipe.guidance)


def generate_volumes(
    run: Run,
    out: str | Path,
    count: int,
    seed: int = 0,
    requests: Sequence[Request] | None = None,
    sampling: Sampling | None = None,
    extrapolate: bool = False,
    prefix: str = "synthetic",
    progress: Progress = silent,
) -> Cohort:
    """Draw volumes and write them as a cohort without label maps.

    Args:
        run: a finished run of whole volumes.
        out: folder of the cohort; one that a killed process left is completed.
        count: how many.
        seed: of the cohort.
        requests: attribute values wanted of each case; as they come if `None`.
        sampling: how to draw; the recipe's way if `None`.
        extrapolate: allow requests outside what the run has seen.
        prefix: of the case names.
        progress: told after each case.

    Raises:
        Refused: before any work, for requests that cannot be met or a folder of other content.
    """
    if count < 1:
        raise Refused("n", f"{count} cases are none", "ask for at least 1")
    asked = list(requests) if requests else [{} for _ in range(count)]
    require_within(asked, run.fingerprint, extrapolate)
    painter = VolumePainter(run, sampling)
    names = sorted({name for request in asked for name in request})
    writer = CohortWriter(out, run.fingerprint.description, [f"requested_{n}" for n in names])
    seeds = np.random.SeedSequence([seed, 3]).generate_state(count, dtype=np.uint32)
    how = painter.sampling
    work = [
        (f"{prefix}_{i:04d}", request, int(s))
        for i, (request, s) in enumerate(zip(asked, seeds, strict=True))
    ]
    mine = work[painter.fabric.global_rank :: painter.fabric.world_size]
    for name, request, case_seed in followed(mine, "drawing volumes", len(mine), progress):
        if name in writer.done:
            continue
        provenance = {
            "synthetic": True, "method": "whole volumes", "vesalius": __version__,
            "run": run.name, "seed": case_seed, "request": dict(request), "measured": {},
            "sampler": how.sampler, "steps": how.steps, "guidance": how.guidance, "parent": None,
        }  # fmt: skip
        told = {f"requested_{key}": value for key, value in request.items()}
        scan = painter.volume(case_seed, request or None)
        writer.add(name, scan, f"{run.name}-{name}", told, split="train", provenance=provenance)
    painter.fabric.barrier()
    return writer.finish()
