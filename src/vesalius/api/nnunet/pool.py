"""Synthetic cases on disk, preprocessed as nnU-Net does it, of which the oldest are replaced.

They are generated in the process that trains, between epochs and on its device, and not in the
loader's workers, which are forked. A worker finds the case of a place by a small file that is
replaced in one step; a case that was replaced stays until the next epoch, as one may be read still.
"""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.api.dataset import SyntheticDataset
from vesalius.api.nnunet.settings import MixingSettings
from vesalius.sampling.case import GeneratedCase
from vesalius.scans.input_error import InputError
from vesalius.scans.writing import make_folder, write_text
from vesalius.training.requests import even_requests

MOST = 8192
"""Cases that a training can ask for before the first comes again; nnU-Net's 1000 epochs take 4000
and those that it begins with, at four an epoch.
"""
MOST_MISSES = 100
"""Requests in a row that all tries may miss before it is said that the run does not meet them."""
NAME = "synthetic_"


class MixedCases:
    """Real training cases of nnU-Net with places for synthetic ones.

    Args:
        real: nnU-Net's own data set.
        made: nnU-Net's data set of the pool's folder.
        places: how many.
    """

    def __init__(self, real: Any, made: Any, places: int) -> None:
        self.real, self.made = real, made
        self.folder = Path(made.source_folder)
        self.identifiers = [*real.identifiers, *(f"{NAME}{place:04d}" for place in range(places))]

    def __getitem__(self, identifier: str) -> Any:
        return self.load_case(identifier)

    def load_case(self, identifier: str) -> Any:
        """Image, label map, that of a stage before, and properties."""
        place = self.folder / f"{identifier}.txt"
        if not identifier.startswith(NAME) or not place.exists():
            return self.real.load_case(identifier)
        return self.made.load_case(place.read_text(encoding="ascii").strip())


class SyntheticPool:
    """The synthetic cases of one training.

    Args:
        settings: of the mixing.
        plans, configuration: nnU-Net's managers of them.
        dataset: what its `dataset.json` holds.
        folder: of the preprocessed cases; emptied first.
        kind: nnU-Net's class of data sets, by which cases are written and read.
        places: how many stand among the real ones.
        first: number of the first case, more than none where a training goes on.
        rank: of the process; each has cases of its own.

    Raises:
        InputError: for a run whose labels or channels are not those of the data set.
    """

    def __init__(
        self, settings: MixingSettings, plans: Any, configuration: Any, dataset: dict[str, Any],
        folder: str, kind: Any, places: int, first: int = 0, rank: int = 0,
    ) -> None:  # fmt: skip
        self.plans, self.configuration, self.dataset = plans, configuration, dataset
        self.settings, self.kind, self.folder = settings, kind, Path(folder)
        seed = settings.seed + rank
        even = even_requests(settings.targets, MOST, seed)
        shuffled = [even[row] for row in np.random.default_rng(seed).permutation(MOST)]
        self.cases = SyntheticDataset(
            settings.run, shuffled, seed=seed, cohort=settings.cohort or None,
            allow_copies=not settings.cohort,
        )  # fmt: skip
        self.numbers = _renumbered(self.cases.labels, dataset["labels"])
        _require_channels(self.cases.channels, dataset)
        shutil.rmtree(self.folder, ignore_errors=True)
        make_folder(self.folder)
        self.places, self.next = places, first
        self._oldest, self._written = 0, 0
        self._replaced: list[str] = []
        for place in range(places):
            self._fill(place)

    @property
    def said(self) -> str:
        """What a log should hold."""
        own = self.settings
        return (
            f"{self.places} synthetic cases of {own.run} among the training cases, "
            f"{own.fresh} new ones each epoch"
        )

    def among(self, real: Any) -> MixedCases:
        """The pool's cases among real ones."""
        return MixedCases(real, self.kind(str(self.folder), []), self.places)

    def refresh(self) -> None:
        """Replace the oldest cases by as many new ones as an epoch has."""
        for name in self._replaced:
            for path in self.folder.glob(f"{name}[._]*"):
                path.unlink()
        self._replaced = []
        for _ in range(min(self.settings.fresh, self.places)):
            self._fill(self._oldest)
            self._oldest = (self._oldest + 1) % self.places

    def close(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _fill(self, place: int) -> None:
        pointer = self.folder / f"{NAME}{place:04d}.txt"
        if pointer.exists():
            self._replaced.append(pointer.read_text(encoding="ascii").strip())
        case = self._following()
        name = f"case_{self._written:06d}"
        self._written += 1
        self._write(case, self.folder / name)
        write_text(pointer, name)

    def _following(self) -> GeneratedCase:
        """The next case; a request that all tries missed is passed over.

        Raises:
            InputError: if the run meets none of many.
        """
        for missed in range(MOST_MISSES):
            number, self.next = self.next % MOST, self.next + 1
            try:
                return self.cases.case(number)
            except InputError:
                if missed == MOST_MISSES - 1:
                    raise
        raise AssertionError

    def _write(self, case: GeneratedCase, path: Path) -> None:
        """Preprocess a case as nnU-Net would one from disk, and keep it in its format."""
        assert case.label_map is not None
        # nnU-Net's readers hold the first axis of a file last.
        image = np.stack([one.voxels.transpose(2, 1, 0) for one in case.scan.channels])
        labels = self.numbers[case.label_map.voxels.astype(np.int64)].transpose(2, 1, 0)[None]
        spacing = [float(size) for size in case.image.spacing_mm[::-1]]
        preprocessor = self.configuration.preprocessor_class(verbose=False)
        data, seg, properties = preprocessor.run_case_npy(
            image, labels, {"spacing": spacing}, self.plans, self.configuration,
            deepcopy(self.dataset),
        )  # fmt: skip
        arrays = data.astype(np.float32), seg.astype(np.int16)
        sizes: dict[str, Any] = {}
        if self.kind.__name__ == "nnUNetDatasetBlosc2":
            from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params

            patch = tuple(self.configuration.patch_size)
            for end, array in zip(("", "_seg"), arrays, strict=True):
                found = comp_blosc2_params(array.shape, patch, array.itemsize)
                sizes |= dict(zip((f"blocks{end}", f"chunks{end}"), found, strict=True))
        self.kind.save_case(*arrays, properties, str(path), **sizes)


def _renumbered(own: dict[str, int], wanted: dict[str, Any]) -> np.ndarray:
    """The data set's number of each label number of the run."""
    if any(isinstance(number, list) for number in wanted.values()):
        raise InputError("dataset.json", "has regions", "train on labels, without regions")
    missing = sorted(set(own) - set(wanted))
    if missing:
        fault = f"has no label {missing[0]}, which the run makes"
        raise InputError("dataset.json", fault, "export the cohort that the run was fitted on")
    numbers = np.zeros(max(own.values()) + 1, dtype=np.int16)
    for name, number in own.items():
        numbers[number] = wanted[name]
    return numbers


def _require_channels(own: tuple[str, ...], dataset: dict[str, Any]) -> None:
    names = tuple(dataset["channel_names"].values())
    if len(names) != len(own):
        fault = f"has {len(names)} channels, the run {len(own)} ({', '.join(own)})"
        raise InputError("dataset.json", fault, "export the cohort that the run was fitted on")
