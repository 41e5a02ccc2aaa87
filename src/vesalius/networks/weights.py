"""Tensors in safetensors files: the only form in which weights and states are kept."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vesalius.scans.formats.content import refused_if_damaged, require_file
from vesalius.scans.formats.json_file import require_format
from vesalius.scans.input_error import InputError
from vesalius.scans.memory import require_memory
from vesalius.scans.writing import replacing

FORMAT, ENTRY = 1, "texts"
"""All texts stand in one entry: the library writes several in an order that changes at random, and
the same weights shall be the same bytes."""

TEXTS: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])
LARGEST_BYTES = 2**36
RENAMED = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\benter\b", "conv_in"), (r"\bleave\b", "conv_out"), (r"\btell\b", "embed"),
        (r"^told\.(?=\d)", "to_picture."), (r"\btold\.(?=weight$|bias$)", "embed."),
        (r"^middle$", "mean"), (r"^spread$", "std"), (r"^begun$", "styles"),
        (r"^foretold$", "predicted"), (r"^((?:reading_|published_)?)drift$", r"\1annual_change"),
    )
)  # fmt: skip
"""What tensors were called in files of earlier versions."""


def read_tensors(path: Path, remedy: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a file by name, and the texts that stand beside them.

    Args:
        path: of the file.
        remedy: what to do about a damaged one.

    Raises:
        InputError: for a file that is missing, damaged, of a newer version, larger than free
            memory, or holds numbers that are none.

    >>> import tempfile; file = Path(tempfile.mkdtemp()) / "part.safetensors"
    >>> write_tensors(file, {"scale": torch.ones(2)}, {"patients": "a"})
    >>> read_tensors(file, "fit again")
    ({'scale': tensor([1., 1.])}, {'patients': 'a'})
    """
    require_memory(path, require_file(path, LARGEST_BYTES, remedy), "free some memory")
    with refused_if_damaged(path, "is a damaged safetensors file", remedy):
        with safe_open(path, framework="pt") as stream:
            beside = dict(stream.metadata() or {})
            texts = TEXTS.validate_json(beside[ENTRY]) if ENTRY in beside else beside
            tensors = {_renamed(name): stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    require_format(path, texts.pop("format", FORMAT), FORMAT)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(path, f"holds NaN or infinite numbers in {name}", remedy)
    return tensors, texts


def _renamed(name: str) -> str:
    """A tensor's name of today.

    >>> _renamed("network.enter.weight"), _renamed("denoiser.enterprise"), _renamed("reading_drift")
    ('network.conv_in.weight', 'denoiser.enterprise', 'reading_annual_change')
    """
    for pattern, new in RENAMED:
        name = pattern.sub(new, name)
    return name


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], texts: Mapping[str, str] | None = None
) -> None:
    """Write tensors whole or not at all."""
    kept = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    beside = json.dumps({"format": str(FORMAT), **(texts or {})}, sort_keys=True)
    with replacing(path) as partial:
        try:
            save_file(kept, partial, {ENTRY: beside})
        except SafetensorError as error:  # the library hides what the operating system said
            number = re.search(r"os error (\d+)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
