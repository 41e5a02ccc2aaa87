"""Volumes from seeds: codes by diffusion, then the decoder tile by tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from vesalius import __version__
from vesalius.diffusion.guidance import guided
from vesalius.diffusion.samplers import SAMPLERS, ddpm
from vesalius.diffusion.schedules import even_levels, even_log_snr_levels
from vesalius.methods.volumes.grain import Grain
from vesalius.methods.volumes.model import PARTS, VolumesModel
from vesalius.methods.volumes.recipe import VolumesRecipe
from vesalius.scans.attributes import Attribute
from vesalius.scans.case import LabelledScan, Scan
from vesalius.scans.cohort import Cohort
from vesalius.scans.cohort_writer import CohortWriter
from vesalius.scans.fault import Fault, Refused
from vesalius.scans.output import Made
from vesalius.scans.progress import Progress, followed, silent
from vesalius.scans.volume import Volume
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
        self.grain = Grain.of_run(run)
        self._code = (recipe.code_channels, *self.model.code_shape)

    @torch.no_grad()
    def volume(self, seed: int, request: Request | None = None) -> Scan:
        """A volume in the space and the units of the cohort, asked to have these attributes."""
        image = self._decoded(self.code(seed, request), seed)
        voxels = self.fingerprint.unscaled(image[0].cpu().numpy()).astype(np.float32)
        return Scan(tuple(self.fingerprint.grid.volume(channel) for channel in voxels))

    @torch.no_grad()
    def sent_through(self, scaled: np.ndarray, seed: int = 0) -> np.ndarray:
        """The first channel `(D, H, W)` of a scan as it comes back from the autoencoder, in [0, 1].

        Args:
            scaled: `(D, H, W)` or `(C, D, H, W)` in the grid of the run and on its scale.
            seed: of the grain.
        """
        image = torch.from_numpy(np.reshape(scaled, (1, -1, *scaled.shape[-3:])))
        with self.fabric.autocast():
            code = self.model.autoencoder.encode(image.to(self.fabric.device))
        back: np.ndarray = self._decoded(code, seed)[0, 0].cpu().numpy()
        return back.clip(0, 1)

    def _decoded(self, code: Tensor, seed: int) -> Tensor:
        """The image of a code with its grain, on the scale of the networks."""
        with self.fabric.autocast():
            image = self.model.autoencoder.decode_in_tiles(code).float()
        if self.grain is None:
            return image
        own = np.random.SeedSequence([seed, 5]).generate_state(1)[0]
        return self.grain.put_back(image, torch.Generator().manual_seed(int(own)))

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


class Labeller(Protocol):
    """Puts labels on a scan, such as a trained segmenter.

    Attributes:
        name: by which it is known again.
        labels: numbers by name.
    """

    @property
    def name(self) -> str: ...

    labels: dict[str, int]

    def segment(self, scan: Scan) -> Volume:
        """The label map of a scan in its own geometry."""


@dataclass(frozen=True)
class ClosedLoop:
    """Labels on what was drawn, so that it can be measured, and drawn again where it misses.

    Attributes:
        labeller: puts labels on a drawn volume. What it measures is as good as it is.
        tolerance: largest relative error of a measured attribute.
        tries: volumes drawn for one request before it is given up and listed.
    """

    labeller: Labeller
    tolerance: float = 0.1
    tries: int = 10


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
    loop: ClosedLoop | None = None,
    prefix: str = "synthetic",
    progress: Progress = silent,
    faults: list[Fault] | None = None,
    inputs: Sequence[Path] = (),
) -> Cohort:
    """Draw volumes and write them as a cohort, without label maps unless something labels them.

    Args:
        run: a finished run of whole volumes.
        out: folder of the cohort; one that a killed process left is completed.
        count: how many.
        seed: of the cohort.
        requests: attribute values wanted of each case; as they come if `None`.
        sampling: how to draw; the recipe's way if `None`.
        extrapolate: allow requests outside what the run has seen.
        loop: labels and measures what was drawn; label maps are written, and misses drawn again.
        prefix: of the case names.
        progress: told after each case.
        faults: requests that were never met are added.
        inputs: beside the run, folders that must not be touched.

    Raises:
        Refused: before any work, for requests that cannot be met or a folder of other content.
    """
    if count < 1:
        raise Refused("n", f"{count} cases are none", "ask for at least 1")
    asked = list(requests) if requests else [{} for _ in range(count)]
    require_within(asked, run.fingerprint, extrapolate)
    painter = VolumePainter(run, sampling)
    names = sorted({name for request in asked for name in request})
    measures = _measures(run, loop)
    description = run.fingerprint.description
    if loop is not None:
        description = replace(
            description, labels=loop.labeller.labels, attributes=tuple(measures.values())
        )
    columns = [f"requested_{name}" for name in names] + list(measures)
    how = painter.sampling
    made: Made = {
        "command": "generate", "run": run.name, "seed": seed, "sampler": how.sampler,
        "steps": how.steps, "guidance": how.guidance,
        **({"segmenter": loop.labeller.name, "tolerance": loop.tolerance} if loop else {}),
    }  # fmt: skip
    with painter.fabric.rank_zero_first():
        writer = CohortWriter(out, description, columns, made, [run.folder, *inputs])
    seeds = np.random.SeedSequence([seed, 3]).generate_state(count, dtype=np.uint32)
    work = [
        (f"{prefix}_{i:04d}", request, int(s))
        for i, (request, s) in enumerate(zip(asked, seeds, strict=True))
    ]
    for name, request, case_seed in work:
        writer.require_same_case(name, seed=case_seed, request=dict(request))
    mine = work[painter.fabric.global_rank :: painter.fabric.world_size]
    for name, request, case_seed in followed(mine, "drawing volumes", len(mine), progress):
        if name in writer.done:
            continue
        drawn = _until_met(painter, request, case_seed, loop, measures)
        if drawn is None:
            wanted = ", ".join(f"{key} {value:.4g}" for key, value in request.items())
            remedy = "widen --tolerance, raise --tries or fit longer"
            if faults is not None:
                faults.append(Fault(name, f"missed {wanted}", remedy))
            continue
        provenance = {
            "synthetic": True, "method": "whole volumes", "vesalius": __version__,
            "run": run.name, "seed": case_seed, "request": dict(request),
            "measured": drawn.measured, "tries": drawn.tries,
            "sampler": how.sampler, "steps": how.steps, "guidance": how.guidance, "parent": None,
        }  # fmt: skip
        told = {f"requested_{key}": value for key, value in request.items()}
        writer.add(
            name, drawn.scan, f"{run.name}-{name}", told | drawn.measured, split="train",
            provenance=provenance,
        )  # fmt: skip
    painter.fabric.barrier()
    if not writer.done:
        raise Refused(out, "no request was met", "fit longer, or ask for what the run has seen")
    return writer.finish()


@dataclass(frozen=True)
class _Drawn:
    """A volume that was kept, what was measured on it, and the draws it took."""

    scan: Scan
    measured: Request
    tries: int


def _measures(run: Run, loop: ClosedLoop | None) -> dict[str, Attribute]:
    """What can be measured of the run's attributes on the labels that a labeller knows."""
    if loop is None:
        return {}
    return {
        seen.name: seen.attribute
        for seen in run.fingerprint.attributes
        if seen.measure and set(seen.labels) <= set(loop.labeller.labels)
    }


def _until_met(
    painter: VolumePainter, request: Request, case_seed: int, loop: ClosedLoop | None,
    measures: Mapping[str, Attribute],
) -> _Drawn | None:  # fmt: skip
    """Draw until what can be measured is within tolerance; nothing if it never is."""
    scan = painter.volume(case_seed, request or None)
    if loop is None:
        return _Drawn(scan, {}, 1)
    seeds = np.random.SeedSequence([case_seed, 4]).generate_state(loop.tries, dtype=np.uint32)
    for attempt in range(loop.tries):
        if attempt:
            scan = painter.volume(int(seeds[attempt]), request or None)
        label_map = loop.labeller.segment(scan)
        found = {name: a.of(label_map, loop.labeller.labels) for name, a in measures.items()}
        asked = {name: value for name, value in request.items() if name in found}
        if all(abs(found[n] - v) <= loop.tolerance * max(v, 1e-6) for n, v in asked.items()):
            return _Drawn(LabelledScan(scan.channels, label_map), found, attempt + 1)
    return None
