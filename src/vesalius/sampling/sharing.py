"""Requests met one after the other here, or shared by the workers of the executor.

A candidate is a function of its request and its number, so the cases are the same either way. A
worker knows no training case: each candidate that is within tolerance comes back and is compared
with them here, and after a copy the request is tried again in the next round.
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
from vesalius.scans.computing import chosen_cluster, chosen_precision, chosen_workers, set_computing
from vesalius.scans.executor import each
from vesalius.scans.input_error import InputError, InputProblem
from vesalius.scans.progress import Progress, track
from vesalius.training.device import compute_device, fabric_for, has_bfloat16

Met = tuple[CaseRequest, Outcome | InputProblem]


def outcomes(
    sampler: Sampler[Any], requests: Sequence[CaseRequest], tries: int, gate: CopySearch | None,
    progress: Progress,
) -> Iterator[Met]:  # fmt: skip
    """What became of each request, or why it cannot be met; in their order without workers.

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
    work = _Sampling(sampler, tries, not has_bfloat16(compute_device().type), os.getpid())
    waiting = [Trial(request) for request in requests]
    while waiting:
        results = each(work, waiting, "generating cases", progress, workers)
        again = []
        for trial, result in zip(waiting, results, strict=True):
            judged = result if isinstance(result, InputProblem) else judge(sampler, result, gate)
            if isinstance(judged, Trial):
                again.append(judged)
            else:
                yield trial.request, judged
        waiting = again


@dataclass(frozen=True)
class _Sampling:
    """The work on one request, as it is sent to a worker.

    Attributes:
        sampler: of a method.
        tries: candidates before the request is given up.
        in_32_bits: the sender has no hardware for bfloat16; a worker that has some shall compute
            alike.
        sender: number of its process.
    """

    sampler: Sampler[Any]
    tries: int
    in_32_bits: bool
    sender: int

    def __call__(self, trial: Trial) -> Trial | InputProblem:
        if self.in_32_bits and chosen_precision() is None and os.getpid() != self.sender:
            set_computing(precision="32-true")
        try:
            return next_met(self.sampler, trial, self.tries)
        except InputError as refusal:
            return refusal.fault
