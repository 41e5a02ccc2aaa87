"""Growth of a cavity that pushes tissue aside, as hydrocephalus widens the ventricles.

The cavity is a source of incompressible flow. A sink of the same strength is spread over what can
yield: mostly the fluid in the sulci, a little the tissue. So the brain stays within its skull:

    ∇²ψ = q(cavity) − s(yielding),   ∫q = ∫s = 1,   flow = ∇ψ in mm for each mL of growth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from vesalius.geometry.deformation import compose

LARGEST_STEP = 0.12
"""Growth in one step as a share of the cavity: small enough that no step folds."""


def unit_flow(source: Tensor, sink: Tensor, spacing_mm: float) -> Tensor:
    """Velocity `(3, X, Y, Z)` in mm for each mL that `source` gives off and `sink` takes up.

    Args:
        source, sink: where, `(X, Y, Z)`, any positive scale.
        spacing_mm: of the grid, which is taken as periodic, so leave a margin around the head.

    >>> ball = (torch.linspace(-1, 1, 33) ** 2)
    >>> ball = (ball[:, None, None] + ball[:, None] + ball < 0.1).float()
    >>> flow = unit_flow(ball, torch.ones(33, 33, 33), spacing_mm=2.0)
    >>> bool(flow[0, 24, 16, 16] > 0) and bool(flow[0, 8, 16, 16] < 0)
    True
    """
    per_ml = 1000 / spacing_mm**3
    density = (source / source.sum() - sink / sink.sum()) * per_ml
    frequency = [
        2 * torch.pi * torch.fft.fftfreq(n, d=spacing_mm, device=source.device)
        for n in source.shape
    ]
    frequency[2] = frequency[2][: source.shape[2] // 2 + 1].abs()
    k = torch.stack(torch.meshgrid(*frequency, indexing="ij"))
    square = (k**2).sum(dim=0)
    square[0, 0, 0] = 1.0
    potential = -torch.fft.rfftn(density) / square
    potential[0, 0, 0] = 0
    return torch.fft.irfftn(1j * k * potential, s=source.shape, dim=(1, 2, 3))


def grow(
    start: Tensor,
    strengths: Callable[[Tensor], tuple[Tensor, Tensor, float]],
    spacing_mm: float,
    shrink: bool = False,
) -> Iterator[tuple[Tensor, float, Tensor, float]]:
    """Follow the growth of a cavity step by step, without end.

    Args:
        start: displacement `(3, X, Y, Z)` in mm to begin with.
        strengths: source and sink seen through a displacement, and the cavity in mL.
        spacing_mm: of the grid.
        shrink: let the cavity fall instead.

    Yields:
        the displacement reached, the cavity in mL there, the flow in mm for each mL from there, and
        the mL that one more step of it may add.
    """
    displacement = start
    while True:
        source, sink, cavity_ml = strengths(displacement)
        flow = unit_flow(source, sink, spacing_mm)
        step_ml = LARGEST_STEP * cavity_ml * (-1 if shrink else 1)
        yield displacement, cavity_ml, flow, step_ml
        displacement = advance(displacement, flow, step_ml, spacing_mm)


def advance(displacement: Tensor, flow: Tensor, step_ml: float, spacing_mm: float) -> Tensor:
    """The displacement after `step_ml` more of growth along `flow` (a semi-Lagrangian step)."""
    return compose(-step_ml * flow, displacement, spacing_mm)
