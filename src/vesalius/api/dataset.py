"""Synthetic cases as a PyTorch data set: each is generated when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset

from vesalius.api.cohorts import Given, copy_gate
from vesalius.api.console import bars
from vesalius.api.fitting import generator
from vesalius.sampling.rejection import case_requests, require_met, sample_case
from vesalius.scans.input_error import InputError
from vesalius.training.requests import even_requests, require_within

if TYPE_CHECKING:
    from vesalius.sampling.case import GeneratedCase

Layout = Literal["tensors", "monai", "torchio"]


class SyntheticDataset(Dataset[Any]):
    """Synthetic cases that are generated when a training asks for them.

    The case of a place depends on the seed and the place alone, whatever the number of workers or
    the order; it is the case that `vesalius.generate` of the same run, targets, count and seed
    writes at that place. Pass it to `torch.utils.data.DataLoader`; on a GPU with
    `multiprocessing_context="spawn"`, or without workers.

    Parameters
    ----------
    model
        pipeline or folder of a run of guided synthesis or of whole volumes.
    targets
        ranges of attributes, filled evenly, or one request a case; cases as they come without
        them, of whole volumes.
    length
        how many cases there are, if requests do not say.
    seed
        of all of them.
    layout
        `tensors`: a dictionary of `image` `(C, D, H, W)` float32, `label` `(1, D, H, W)` int64
        where the method makes one, `measured` and `name`; `monai`: the same as `MetaTensor` with
        their affines; `torchio`: a `Subject`.
    transform
        called with what the layout makes.
    tolerance, tries, extrapolate
        of the closed loop, as in `vesalius.generate`.
    cohort
        the training cohort: a copy of one of its cases is generated again.
    allow_copies
        keep copies.

    Attributes
    ----------
    labels, channels
        of the cases: numbers of labels by name, and names of channels.

    Raises
    ------
    InputError
        for requests that cannot be met; on access for one that was missed in all tries.

    Examples
    --------
    ::

        import vesalius as vs
        from torch.utils.data import DataLoader

        cases = vs.SyntheticDataset("runs/brain", {"ventricle_volume_ml": (20, 160)}, length=160)
        for batch in DataLoader(cases, batch_size=2, shuffle=True, num_workers=2):
            train_on(batch["image"], batch["label"])
    """

    def __init__(
        self,
        model: Any,
        targets: Mapping[str, tuple[float, float]] | Sequence[Mapping[str, float]] | None = None,
        *,
        length: int | None = None,
        seed: int = 0,
        layout: Layout = "tensors",
        transform: Callable[[Any], Any] | None = None,
        tolerance: float = 0.1,
        tries: int = 10,
        extrapolate: bool = False,
        cohort: Given | None = None,
        allow_copies: bool = False,
    ) -> None:
        _made(layout)  # refuses what cannot be had before any work
        pipeline = generator(model)
        if length is None and (targets is None or isinstance(targets, Mapping)):
            raise InputError("length", "is missing", "say how many cases there are to be")
        count = len(targets or ()) if length is None else length
        if isinstance(targets, Mapping):
            targets = even_requests(targets, count, seed)
        wanted = [dict(one) for one in targets or [{}] * count]
        if len(wanted) != count or not count:
            fault = f"is {count}, with {len(wanted)} requests"
            raise InputError("length", fault, "give one request for each case, or a range")
        require_within(wanted, pipeline.fingerprint, extrapolate)
        self.tries, self.layout, self.transform = tries, layout, transform
        names = sorted({name for one in wanted for name in one})
        self._sampler = pipeline.sampler(names, tolerance)
        self.requests = case_requests(pipeline.run, wanted, seed)
        description = self._sampler.description
        labels = self.labels = dict(description.labels)
        self.channels = tuple(description.channels)
        with bars() as report:
            gate = copy_gate(pipeline, cohort, labels, allow_copies, report)
            self._gate = None if gate is None else gate()

    def __len__(self) -> int:
        return len(self.requests)

    def case(self, index: int) -> GeneratedCase:
        """The case of a place with its provenance, as a pipeline gives it.

        Raises
        ------
        IndexError
            for a place that there is none of.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"place {index} of {len(self)} cases")
        request = self.requests[index]
        return require_met(request, sample_case(self._sampler, request, self.tries, self._gate))

    def __getitem__(self, index: int) -> Any:
        made = _made(self.layout)(self.case(index))
        return made if self.transform is None else self.transform(made)


def _arrays(case: GeneratedCase) -> dict[str, torch.Tensor]:
    image = np.stack([channel.voxels for channel in case.scan.channels]).astype(np.float32)
    made = {"image": torch.from_numpy(image)}
    if case.label_map is not None:
        made["label"] = torch.from_numpy(case.label_map.voxels.astype(np.int64)[None])
    return made


def _tensors(case: GeneratedCase) -> dict[str, Any]:
    return {**_arrays(case), "measured": dict(case.measured), "name": case.name}


def _monai(case: GeneratedCase) -> dict[str, Any]:
    from monai.data import MetaTensor

    affine = torch.from_numpy(np.asarray(case.image.affine, dtype=np.float64))
    placed = {name: MetaTensor(one, affine=affine) for name, one in _arrays(case).items()}
    return {**placed, "measured": dict(case.measured), "name": case.name}


def _torchio(case: GeneratedCase) -> Any:
    import torchio

    kinds, affine = {"image": torchio.ScalarImage, "label": torchio.LabelMap}, case.image.affine
    images = {
        name: kinds[name](tensor=one, affine=np.asarray(affine, dtype=np.float64))
        for name, one in _arrays(case).items()
    }
    return torchio.Subject(**images, measured=dict(case.measured), name=case.name)


def _made(layout: str) -> Callable[[GeneratedCase], Any]:
    """What makes a layout, or `InputError` where its package is not there."""
    makers = {"tensors": _tensors, "monai": _monai, "torchio": _torchio}
    if layout not in makers:
        raise InputError("layout", f"{layout} is unknown", f"choose {', '.join(makers)}")
    if layout == "torchio":
        try:
            import torchio  # noqa: F401
        except ImportError:
            raise InputError("layout", "torchio is not installed", "pip install torchio") from None
    return makers[layout]
