"""A method from outside the package: noise about the mean image of a cohort."""

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from vesalius.scans.case import Scan
from vesalius.training.device import placed
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.measures import Measuring
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.objective import Objective
from vesalius.training.reading import cohort_of, read_split
from vesalius.training.recipe import FitRecipe, Settings
from vesalius.training.run import Run
from vesalius.training.store import BlankStore, Layout, gridded


class ToyRecipe(Settings):
    method: Literal["toy"] = "toy"
    preset: str = "smallest"
    seed: int = 0
    held_out: float = 0.1
    fit: FitRecipe = FitRecipe(steps=20, batch_size=4, precision="32-true")


@dataclass(frozen=True)
class ToyData(Data):
    scans: Any = field(kw_only=True)


class Mean(Objective):
    def __init__(self, image: Tensor, store: Any = None) -> None:
        super().__init__()
        self.image, self.store = nn.Parameter(image) if store is None else image, store

    def batch(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        return self.store.images(rows)

    def forward(self, batch: Tensor, rng: torch.Generator) -> Tensor:
        return (batch - self.image).square().mean()


class Toy(Method[ToyData]):
    """Fit a toy, which knows one image."""

    name, title, settings, measured = "toy", "toy", ToyRecipe, Fingerprint

    def recipe(self, *, preset: Literal["smallest"] = "smallest", seed: int = 0) -> ToyRecipe:
        return ToyRecipe(preset=preset, seed=seed)

    def read(self, source: Any, recipe: ToyRecipe, reading: Reading) -> ToyData:
        cohort = cohort_of(source, False, reading)
        sound = read_split(Measuring(cohort, labelled=False), recipe, reading)
        return ToyData(recipe, sound.fingerprint(sound.grid()), scans=sound.scans[: sound.fitted])

    def parts(self, data: ToyData) -> list[Part]:
        seen, mean = data.fingerprint, Mean(torch.zeros(1, *data.fingerprint.shape))
        return [Part(
            "mean", mean, data.recipe.fit, len(data.scans), lambda store: Mean(mean.image, store),
            lambda run, report: gridded(
                run.state / "cohort", seen, data.scans, seen.grid.place_whole, report, False),
            lambda: BlankStore(Layout.of(seen, labelled=False)),
        )]  # fmt: skip

    def card(self, data: ToyData, run: Run[Any]) -> list[str]:
        return data.fingerprint.lines

    def open(self, run: Run[Any]) -> Any:
        seen, mean = run.fingerprint, Mean(torch.zeros(1, *run.fingerprint.shape))
        run.load("mean", mean)

        def pipeline(seed: int = 0) -> Scan:
            noise = torch.randn(1, *seen.shape, generator=torch.Generator().manual_seed(seed))
            voxels = seen.unscaled((placed(mean).image.detach().cpu() + 0.05 * noise).numpy())
            return Scan((seen.grid.volume(voxels[0]),))

        return pipeline
