"""A method from outside the package: noise about the mean image of a cohort."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from vesalius.scans.case import Scan
from vesalius.scans.grid import whole_grid
from vesalius.training.device import placed
from vesalius.training.fingerprint import Fingerprint
from vesalius.training.method import Data, Method, Part, Reading
from vesalius.training.objective import Objective
from vesalius.training.reading import cohort_of, read_split
from vesalius.training.recipe import FitRecipe, Settings
from vesalius.training.run import Run


class ToyRecipe(Settings):
    method: Literal["toy"] = "toy"
    preset: str = "smallest"
    seed: int = 0
    held_out: float = 0.1
    fit: FitRecipe = FitRecipe(steps=20, batch_size=4, precision="32-true")


@dataclass(frozen=True)
class ToyData(Data):
    images: Tensor = field(kw_only=True)


class Mean(Objective):
    def __init__(self, shape: tuple[int, ...], images: Any = None) -> None:
        super().__init__()
        self.image, self.images = nn.Parameter(torch.zeros(1, *shape)), images

    def batch(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        return self.images[rows]

    def forward(self, batch: Tensor, rng: torch.Generator) -> Tensor:
        return (batch - self.image).square().mean()


class Toy(Method[ToyData]):
    """Fit a toy, which knows one image."""

    name, title, settings, measured = "toy", "toy", ToyRecipe, Fingerprint

    def recipe(self, *, preset: Literal["smallest"] = "smallest", seed: int = 0) -> ToyRecipe:
        return ToyRecipe(preset=preset, seed=seed)

    def read(self, source: Any, recipe: ToyRecipe, reading: Reading) -> ToyData:
        cohort = cohort_of(source, False, reading)
        sound = read_split(cohort, recipe, reading, labelled=False)
        grid, scans = whole_grid(sound.scans), sound.scans[: sound.fitted]
        seen = Fingerprint.of_images(cohort, sound.cases[: sound.fitted], scans, grid, ())
        placed_scans = [grid.place_whole(scan).channels[0].voxels for scan in scans]
        images = np.stack([seen.scaled(voxels[None]) for voxels in placed_scans])
        return ToyData(recipe, seen, images=torch.from_numpy(images).float())

    def parts(self, data: ToyData) -> list[Part]:
        mean = Mean(data.fingerprint.shape, data.images)
        plain = lambda *given: mean  # noqa: E731
        return [Part("mean", mean, data.recipe.fit, len(data.images), plain, plain, plain)]

    def card(self, data: ToyData, run: Run[Any]) -> list[str]:
        return data.fingerprint.lines

    def open(self, run: Run[Any]) -> Any:
        mean, seen = Mean(run.fingerprint.shape), run.fingerprint
        run.load("mean", mean)

        def pipeline(seed: int = 0) -> Scan:
            noise = 0.05 * torch.randn(
                1, *seen.shape, generator=torch.Generator().manual_seed(seed)
            )
            voxels = seen.unscaled((placed(mean).image.detach().cpu() + noise).numpy())
            return Scan((seen.grid.volume(voxels[0]),))

        return pipeline
