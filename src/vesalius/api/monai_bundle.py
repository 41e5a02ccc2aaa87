"""A run as a bundle that MONAI's own commands run and verify.

Configuration and metadata follow MONAI's bundle specification; the run lies inside as it is, in
safetensors. Its network goes from tensor to tensor: what comes in and out is said in the metadata.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vesalius import __version__
from vesalius.api.fitting import loaded
from vesalius.methods import method_of
from vesalius.methods.inpainting.sampling import FindingRequest
from vesalius.report.model_folder import CARD, copy_run
from vesalius.scans.case import LabelledScan
from vesalius.scans.formats.content import read_text
from vesalius.scans.input_error import InputError
from vesalius.scans.progress import Progress
from vesalius.scans.volume import Volume
from vesalius.scans.writing import make_folder, write_text

SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/"
    "meta_schema_20240725.json"
)
YEARS = 4.0
"""How far ahead the network of a forecast looks."""
INPUTS: dict[str, dict[str, Any]] = {
    "guided": {"count": 4, "seed": 0},
    "volumes": {"count": 4, "seed": 0},
    "inpainting": {"scan": "", "count": 4, "seed": 0},
    "segmentation": {"dataset_dir": ""},
    "classification": {"dataset_dir": ""},
    "progression": {"dataset_dir": ""},
}
"""What a user sets of each method's configuration."""
CALLS = {
    "guided": "$vesalius.generate(@model, {targets}, out=@output_dir, count=@count, seed=@seed)",
    "volumes": "$vesalius.generate(@model, out=@output_dir, count=@count, seed=@seed)",
    "inpainting": (
        "$vesalius.inpaint(@model, @scan, @pathology, @level, out=@output_dir, count=@count, "
        "seed=@seed)"
    ),
    "segmentation": "$vesalius.segment(@model, @dataset_dir, out=@output_dir)",
    "classification": "$vesalius.classify(@model, @dataset_dir, out=@output_dir + '/all.csv')",
    "progression": "$vesalius.forecast(@model, @dataset_dir, out=@output_dir)",
}


@dataclass(frozen=True)
class Tensors:
    """What goes into a network, or comes out of it.

    Attributes:
        what: in a few words.
        shape: channels, then sides.
        channels: what each is.
    """

    what: str
    shape: tuple[int, ...]
    channels: tuple[str, ...]

    def described(self) -> dict[str, Any]:
        """As the metadata of a bundle has it."""
        return {
            "type": "image", "format": self.what, "modality": "n/a",
            "num_channels": self.shape[0], "spatial_shape": list(self.shape[1:]),
            "dtype": "float32", "value_range": [], "is_patch_data": False,
            "channel_def": {str(index): name for index, name in enumerate(self.channels)},
        }  # fmt: skip


class BundleNetwork(nn.Module):
    """A run as one network from tensor to tensor.

    What goes in and comes out is in `given` and `made`: guided synthesis turns a label map into an
    image, whole volumes noise into a volume, inpainting a crop with labels into one with a finding
    in its middle, a segmenter and a classifier give logits, progression a picture of some years on.

    Axes are right, anterior, superior, however the cohort stores its scans. The run computes on the
    device that there is, wherever the tensors are.

    Args:
        run: folder of a finished fit.

    Raises:
        InputError: for a run of a method that has no such network.
    """

    def __init__(self, run: str | Path) -> None:
        super().__init__()
        name = method_of(run).name
        if name not in NETWORKS:
            remedy = f"export a run of {', '.join(NETWORKS)}"
            raise InputError(run, f"is of {name}, which is no network by itself", remedy)
        pipeline = loaded(run)
        self.given, self.made, self._act = NETWORKS[name](pipeline)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Tensors `(B, C, …)` as `made` describes them, of tensors as `given` does."""
        if tuple(image.shape[1:]) != self.given.shape:
            raise ValueError(f"expected (B, {self.given.shape}), got {tuple(image.shape)}")
        made = torch.cat([self._act(one[None]).float() for one in image])
        return made.to(image.device)


Network = tuple[Tensors, Tensors, Callable[[Tensor], Tensor]]


def _guided(pipeline: Any) -> Network:
    known = pipeline.fingerprint
    given = Tensors("label map", (1, *known.grid.shape), ("labels",))
    made = Tensors("image", (len(known.channels), *known.grid.shape), known.channels)
    numbers = np.array(known.label_numbers)

    def act(labels: Tensor) -> Tensor:
        rounded = labels[0, 0].round().cpu().numpy()
        there = np.where(np.isin(rounded, numbers), rounded, 0).astype(np.int16)
        scan = pipeline.image(known.grid.volume(there), seed=0)
        return _upright(scan.channels)

    return given, made, act


def _upright(volumes: Sequence[Volume]) -> Tensor:
    """Channels `(1, C, D, H, W)` along right, anterior, superior."""
    voxels = [one.oriented("RAS").voxels.astype(np.float32) for one in volumes]
    return torch.from_numpy(np.stack(voxels)[None])


def _volumes(pipeline: Any) -> Network:
    known, recipe = pipeline.fingerprint, pipeline.model.recipe
    shape = (recipe.code_channels, *pipeline.model.code_shape)
    given = Tensors("noise", shape, tuple(f"noise {index}" for index in range(shape[0])))
    made = Tensors("image", (len(known.channels), *known.grid.shape), known.channels)

    def act(noise: Tensor) -> Tensor:
        scan = pipeline.volume(seed=0, start=noise)
        return _upright(scan.channels)

    return given, made, act


def _inpainting(pipeline: Any) -> Network:
    known, own = pipeline.fingerprint, pipeline.training_range
    shape = (len(known.channels) + 1, *known.grid.shape)
    form = Tensors("image and label map", shape, (*known.channels, "labels"))
    first = own.pathologies[0]
    level = own.levels_of(first.name)[0]

    def act(crop: Tensor) -> Tensor:
        *images, labels = crop[0].cpu().numpy()
        there = np.where(np.isin(labels.round(), known.label_numbers), labels.round(), 0)
        volumes = tuple(known.grid.volume(one) for one in images)
        scan = LabelledScan(volumes, known.grid.volume(there.astype(np.int16)))
        middle = [(side - 1) / 2 for side in known.grid.shape]
        x, y, z = (scan.label_map.oriented("RAS").affine @ [*middle, 1.0])[:3]
        request = FindingRequest(first.name, level, first.size_at(0.5), (x, y, z))
        edited = pipeline.edit(scan, request, seed=0).scan
        return _upright((*edited.channels, edited.label_map))

    return form, form, act


def _segmentation(pipeline: Any) -> Network:
    known = pipeline.run.fingerprint
    sides = (32, 32, 32)
    given = Tensors("image", (len(known.channels), *sides), known.channels)
    made = Tensors("logits", (len(pipeline.labels), *sides), tuple(pipeline.labels))

    def act(image: Tensor) -> Tensor:
        device = next(pipeline.network.parameters()).device
        found: Tensor = pipeline.network(image.to(device))
        return found

    return given, made, act


def _classification(pipeline: Any) -> Network:
    known = pipeline.run.fingerprint
    names = tuple(f"channel {index}" for index in range(known.channels))
    given = Tensors("image", (known.channels, *known.shape), names)
    made = Tensors("logits", (len(pipeline.labels),), tuple(pipeline.labels))

    def act(image: Tensor) -> Tensor:
        return torch.from_numpy(pipeline.logits(image.cpu().numpy()))

    return given, made, act


def _progression(pipeline: Any) -> Network:
    side = pipeline.run.fingerprint.shape[0]
    form = Tensors("image", (1, side, side), ("radiograph",))

    def act(image: Tensor) -> Tensor:
        with torch.enable_grad():  # a picture is found in the latent space by its gradient
            futures = pipeline(image.cpu().numpy(), [YEARS]).futures
        return torch.from_numpy(futures.usual.pictures[:, 0].astype(np.float32))

    return form, form, act


NETWORKS: Mapping[str, Callable[[Any], Network]] = {
    "guided": _guided, "volumes": _volumes, "inpainting": _inpainting,
    "segmentation": _segmentation, "classification": _classification,
    "progression": _progression,
}  # fmt: skip


def export_bundle(run: Path, out: Path, license_id: str, progress: Progress) -> None:
    """Write a finished run as a MONAI bundle.

    Args:
        run: folder of a finished fit.
        out: folder to write into.
        license_id: of the weights, such as `apache-2.0`.
        progress: called after each file.

    Raises:
        InputError: for a run that is not finished, or of a method that is no network by itself.
    """
    network = BundleNetwork(run)
    copy_run(run, out / "models" / "run", progress)
    name = method_of(run).name
    make_folder(out / "configs")
    _write(out / "configs" / "metadata.json", _metadata(run, network, license_id))
    _write(out / "configs" / "inference.json", _inference(run, name))
    make_folder(out / "docs")
    write_text(out / "docs" / "README.md", read_text(run / CARD))
    write_text(out / "LICENSE", f"{license_id}\n")


def _metadata(run: Path, network: BundleNetwork, license_id: str) -> dict[str, Any]:
    method = method_of(run)
    ends = {"inputs": {"image": network.given.described()},
            "outputs": {"pred": network.made.described()}}  # fmt: skip
    return {
        "schema": SCHEMA,
        "version": __version__,
        "changelog": {__version__: "as vesalius export wrote it"},
        "monai_version": version("monai"),
        "pytorch_version": torch.__version__.partition("+")[0],
        "numpy_version": np.__version__,
        "required_packages_version": {"vesalius": __version__},
        "optional_packages_version": {},
        "supported_apps": {},
        "name": f"Vesalius {method.title}",
        "task": method.title,
        "description": method.caution,
        "authors": "see docs/README.md",
        "copyright": f"weights under {license_id}; see docs/README.md",
        "intended_use": "Research. Not for diagnosis.",
        "python_version": platform.python_version(),
        "network_data_format": ends,
    }


def _inference(run: Path, name: str) -> dict[str, Any]:
    pipeline = loaded(run)
    own, call = dict(INPUTS[name]), CALLS[name]
    if name == "guided":
        targets = {
            one.name: [one.low, one.high] for one in pipeline.fingerprint.attributes
        }  # fmt: skip
        own |= {"targets": targets}
        call = call.format(targets="{name: tuple(ends) for name, ends in @targets.items()}")
    if name == "inpainting":
        known = pipeline.training_range
        own |= {
            "pathology": known.pathologies[0].name,
            "level": known.levels_of(known.pathologies[0].name)[0],
        }
    return {
        "imports": ["$import vesalius", "$import vesalius.api.monai_bundle"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        **own,
        "run_folder": "$@bundle_root + '/models/run'",
        "model": "$vesalius.load(@run_folder)",
        "network_def": {
            "_target_": "vesalius.api.monai_bundle.BundleNetwork", "run": "@run_folder",
        },
        "run": [call],
    }  # fmt: skip


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")
