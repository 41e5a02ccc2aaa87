"""Requests met one after the other here, or shared by the workers of the executor.

A candidate is a function of its request and its number, so the cases are the same either way. Those
who draw know no training case: each candidate that is within tolerance comes back and is held
against them here, and a copy is drawn again in the next round.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vesalius.evidence.copies import CopySearch
from vesalius.sampling.rejection import (
    CaseRequest,
    Outcome,
    Sampler,
    Trial,
    judge,
    next_met,
    sample_case,
)
from vesalius.scans.computing import Precision, chosen_cluster, chosen_workers, set_computing
from vesalius.scans.executor import each
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress, track
from vesalius.training.device import compute_device, fabric_for, precision_here

Met = tuple[CaseRequest, Outcome | InputProblem]


def outcomes(
    sampler: Sampler[Any], requests: Sequence[CaseRequest], tries: int, gate: CopySearch | None,
    progress: Progress,
) -> Iterator[Met]:  # fmt: skip
    """What became of each request, or why it cannot be met; in their order where one draws them.

    Args:
        sampler: of a method; it travels to the workers, if there are several.
        requests: what is wanted.
        tries: candidates before a request is given up.
        gate: training cases that nothing may be a copy of.
        progress: called after each candidate that is within tolerance.
    """
    workers = chosen_workers(1) if compute_device().type == "cpu" else 1
    if fabric_for().world_size > 1 or (workers < 2 and not chosen_cluster()):
        for request in track(requests, "generating cases", len(requests), progress):
            try:
                yield request, sample_case(sampler, request, tries, gate)
            except InputError as refusal:
                yield request, refusal.fault
        return
    # Workers with other hardware compute alike.
    drawing = _Drawing(sampler, tries, precision_here("bf16-mixed"), os.getpid())
    waiting = [Trial(request) for request in requests]
    while waiting:
        drawn = each(drawing, waiting, "generating cases", progress, workers)
        again = []
        for trial, result in zip(waiting, drawn, strict=True):
            judged = result if isinstance(result, InputProblem) else judge(sampler, result, gate)
            if isinstance(judged, Trial):
                again.append(judged)
            else:
                yield trial.request, judged
        waiting = again


@dataclass(frozen=True)
class _Drawing:
    """The work on one request, as it is sent to whoever does it."""

    sampler: Sampler[Any]
    tries: int
    precision: Precision
    sender: int

    def __call__(self, trial: Trial) -> Trial | InputProblem:
        if os.getpid() != self.sender:
            set_computing(precision=self.precision)
        try:
            return next_met(self.sampler, trial, self.tries)
        except InputError as refusal:
            return refusal.fault
