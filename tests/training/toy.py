"""A method from outside the package: noise about the mean image of a cohort."""

from collections.abc import Sequence
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
from vesalius.training.store import BlankStore, Layout, Store, in_grid, stored


class ToyRecipe(Settings):
    method: Literal["toy"] = "toy"
    preset: str = "smallest"
    seed: int = 0
    held_out: float = 0.1
    fit: FitRecipe = FitRecipe(steps=20, batch_size=4, precision="32-true")


@dataclass(frozen=True)
class ToyData(Data):
    scans: Sequence[Scan] = field(kw_only=True)


class Mean(nn.Module):
    def __init__(self, seen: Fingerprint) -> None:
        super().__init__()
        self.image = nn.Parameter(torch.zeros(1, *seen.shape))


class MeanObjective(Objective):
    def __init__(self, mean: Mean, store: Store) -> None:
        super().__init__()
        self.mean, self.store = mean, store

    def batch(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        return self.store.images(rows)

    def forward(self, batch: Tensor, rng: torch.Generator) -> Tensor:
        return (batch - self.mean.image).square().mean()


class Toy(Method[ToyData]):
    """Fit a toy, which knows one image."""

    name, title, settings, measured = "toy", "toy", ToyRecipe, Fingerprint

    def recipe(self, *, preset: Literal["smallest"] = "smallest", seed: int = 0) -> ToyRecipe:
        return ToyRecipe(preset=preset, seed=seed)

    def read(self, source: Any, recipe: ToyRecipe, reading: Reading) -> ToyData:
        cohort = cohort_of(source, False, reading)
        sound = read_split(Measuring(cohort, labelled=False), recipe, reading)
        seen = sound.fingerprint(sound.grid())
        return ToyData(recipe, seen, scans=sound.scans[: sound.fitted])

    def parts(self, data: ToyData) -> list[Part]:
        seen, mean = data.fingerprint, Mean(data.fingerprint)
        layout = Layout.of(seen, labelled=False)
        return [Part(
            "mean", mean, data.recipe.fit, len(data.scans),
            lambda store: MeanObjective(mean, store),
            lambda run, progress: stored(
                run.state / "cohort", seen.digest, layout, data.scans,
                lambda scan: in_grid(seen, seen.grid.place_whole(scan)), progress,
            ), lambda: BlankStore(layout),
        )]  # fmt: skip

    def card(self, data: ToyData, run: Run[Any]) -> list[str]:
        return data.fingerprint.lines

    def open(self, run: Run[Any]) -> Any:
        mean, seen = Mean(run.fingerprint), run.fingerprint
        run.load("mean", mean)

        def pipeline(seed: int = 0) -> Scan:
            rng = torch.Generator().manual_seed(seed)
            noise = 0.05 * torch.randn(1, *seen.shape, generator=rng)
            voxels = seen.unscaled((placed(mean).image.detach().cpu() + noise).numpy())
            return Scan((seen.grid.volume(voxels[0]),))

        return pipeline
