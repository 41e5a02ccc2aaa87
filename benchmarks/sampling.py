"""How fast is sampling beside MONAI's own inferer, with the same weights?

    python benchmarks/sampling.py all --run RUN --cohort COHORT --out OUT

* `equal`: MONAI's DDIM at equal steps, levels and noise, a case at a time. Once as its SPADE
  networks are written, which read the label map at every step and lie as PyTorch lays them, and
  once with features of labels that were read beforehand, and once more with the network laid out
  and convolved as ours, which leaves the two solvers. MONAI's time steps lie 999/(N − 1) apart and
  each of its steps assumes 1000/N, so ours are set for both. The largest difference of the codes is
  told beside the ratio.
* `ancestral`: 1,000 ancestral steps of MONAI, and our solvers at several numbers of steps, each
  with the Fréchet radiomics distance of its images to other real ones, beside that of real ones.
* `cost`: seconds a case from 32³ to 128³ voxels, as a power of the number of voxels.
* `processes`: cases a second of two processes beside one, one thread each.

Each keeps its figures in OUT; `collect` writes `docs/results/sampling.json`, where parts that were
not measured anew stay as they are, and notes recipe and machine of each part. n counts cases.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from cyclopts import App
from monai.inferers import DiffusionInferer
from monai.networks.schedulers import DDIMScheduler, DDPMScheduler
from torch import Tensor, nn

from vesalius.diffusion.samplers import ddim, dpm_solver_2m
from vesalius.diffusion.schedules import Schedule, even_levels, even_log_snr_levels
from vesalius.evidence.fidelity import frechet_radiomics_distance, radiomics_features
from vesalius.evidence.figure import counted
from vesalius.evidence.results import Results, machine
from vesalius.methods.guided.model import PARTS as GUIDED_PARTS
from vesalius.methods.guided.model import GuidedModel, ImageDenoiser
from vesalius.methods.guided.pipeline import GuidedPipeline
from vesalius.methods.guided.recipe import GuidedRecipe
from vesalius.networks.spade import one_hot
from vesalius.scans.cohort import Cohort
from vesalius.scans.reading import Scans
from vesalius.scans.volume import Volume
from vesalius.scans.writing import make_folder, write_text
from vesalius.training.device import placed, sampled_often
from vesalius.training.run import Run

KEPT = Path(__file__).resolve().parents[1] / "docs/results/sampling.json"
PARTS = ("equal", "ancestral", "cost", "processes")
STEPS = 1000
EQUAL_STEPS = 12
AT_ONCE = 8
SOLVERS = {
    "dpm_12": ("dpm", 12), "dpm_25": ("dpm", 25), "dpm_50": ("dpm", 50), "ddim_50": ("ddim", 50),
    "ddim_250": ("ddim", 250),
}  # fmt: skip
SIDES = (32, 48, 64, 96, 128)

app = App(help=__doc__)


class ForMonai(nn.Module):
    """The image denoiser as MONAI's inferer calls it: x₀ from a sample and a whole-number step.

    Args:
        denoiser: with the same weights.
        maps: labels, one-hot, read at every step, or once if `cached`.
        given: appearance and noise, where the denoiser is of blocks.
    """

    def __init__(
        self, denoiser: ImageDenoiser, maps: Tensor, cached: bool, given: tuple[Tensor, ...]
    ) -> None:  # fmt: skip
        super().__init__()
        self.denoiser, self.given = denoiser, given
        self.maps, self.cached = maps, cached
        self.kept = self.denoiser.network.read_labels(maps) if cached else None

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor | None = None) -> Tensor:
        level = (timesteps.float() + 1) / STEPS
        maps = self.kept if self.cached else self.denoiser.network.read_labels(self.maps)
        return self.denoiser(x, level, maps, *self.given)


def one_call_a_step(run: Path) -> GuidedPipeline:
    """A run whose images take one call of one network a step, as MONAI's inferer takes them."""
    opened = Run.open(run, GuidedRecipe)
    return GuidedPipeline(replace(opened, recipe=opened.recipe.changed(autoguidance=1.0)))


class Drawn:
    """The label maps of a cohort in a run's grid, and what codes of them are made with."""

    def __init__(self, run: Path, cohort: Path, count: int) -> None:
        self.pipeline = one_call_a_step(run)
        if self.pipeline.recipe.schedule != "cosine":
            raise SystemExit("the comparison is written for the cosine schedule")
        real = Cohort.open(cohort)
        self.scans = Scans([(real, case) for case in real.cases])
        run_model = GuidedModel(self.pipeline.recipe, self.pipeline.fingerprint)
        self.pipeline.run.load("image_denoiser", run_model.image_denoiser)
        self.plain = run_model.image_denoiser.to(self.pipeline.fabric.device).eval()
        self.count, self.device = min(count, len(self.scans)), self.pipeline.fabric.device

    @property
    def schedule(self) -> Schedule:
        return self.pipeline.model.schedule

    def indices(self, row: int) -> Tensor:
        grid, numbers = self.pipeline.fingerprint.grid, self.pipeline.fingerprint.label_numbers
        placed = grid.place(self.scans[row]).label_map.oriented("RAS")
        return torch.from_numpy(np.searchsorted(numbers, placed.voxels).astype(np.int64))[None]

    def maps(self, row: int) -> Tensor:
        labels = len(self.pipeline.fingerprint.labels)
        shown = one_hot(self.indices(row).to(self.device), labels)
        return shown.to(memory_format=torch.channels_last_3d)

    def noise(self, row: int) -> Tensor:
        shape = self.pipeline.fingerprint.shape
        coarse = [side // self.pipeline.model.coarseness for side in shape]
        rng = torch.Generator().manual_seed(row)
        own = torch.randn(1, self.pipeline.model.image_code_channels, *coarse, generator=rng)
        return own.to(self.device, memory_format=torch.channels_last_3d)

    def given(self, row: int, maps: Tensor) -> tuple[Tensor, ...]:
        return self.pipeline.appearance(maps, torch.Generator().manual_seed(row))

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def image(self, row: int, code: Tensor) -> tuple[Volume, Volume]:
        """The image of a code, drawn from the decoder's distribution, and its label map."""
        scaled = self.pipeline.model.image_denoiser.unscaled(code)
        shown = self.indices(row).to(self.device)
        with torch.no_grad(), self.pipeline.fabric.autocast():
            image, std = self.pipeline.model.decoded(scaled, shown)
        if std is not None:
            rng = torch.Generator().manual_seed(row)
            scale = self.pipeline._noise_scales(None)[shown.cpu()][:, None].to(image.device)
            image = image + scale * std * torch.randn(image.shape, generator=rng).to(image.device)
        voxels = image[0].float().cpu().numpy()
        label_map = self.pipeline.fingerprint.grid.place(self.scans[row]).label_map
        scan = self.pipeline.fingerprint.unscaled(voxels)[0]
        return Volume(scan, label_map.oriented("RAS").affine), label_map.oriented("RAS")


def monai_ddim(
    drawn: Drawn, row: int, maps: Tensor, steps: int, cached: bool, placed: bool = False
) -> Tensor:
    """A code by MONAI's DDIM, with a network laid out as ours where `placed` says so."""
    scheduler = DDIMScheduler(
        num_train_timesteps=STEPS, schedule="cosine", prediction_type="sample", clip_sample=False
    )
    scheduler.set_timesteps(steps)
    scheduler.timesteps = (STEPS // steps) * torch.arange(steps - 1, -1, -1)
    own, noise = drawn.plain, drawn.noise(row).contiguous()
    shown = maps.contiguous()
    if placed:
        own, noise, shown = drawn.pipeline.model.image_denoiser, drawn.noise(row), maps
    network = ForMonai(own, shown, cached, drawn.given(row, maps))
    code: Tensor = DiffusionInferer(scheduler).sample(noise, network, scheduler, verbose=False)
    return code


def our_ddim(drawn: Drawn, row: int, maps: Tensor, steps: int) -> Tensor:
    """A code by our DDIM, at the levels of MONAI's."""
    apart = STEPS // steps
    levels = [(place * apart + 1) / STEPS for place in reversed(range(steps))]
    return _ours(drawn, row, maps, "ddim", torch.tensor([*levels, 0.0]))


def _ours(drawn: Drawn, row: int, maps: Tensor, kind: str, levels: Tensor) -> Tensor:
    denoiser = drawn.pipeline.model.image_denoiser
    features = denoiser.network.kept(denoiser.network.read_labels(maps))
    solver, given = ddim if kind == "ddim" else dpm_solver_2m, drawn.given(row, maps)
    return solver(
        lambda x, level: denoiser(x, level, features, *given), drawn.noise(row), levels,
        drawn.schedule,
    )  # fmt: skip


Work = Callable[[int, Tensor], Tensor]
"""From the number of a case and its label map to a code."""


def timed(drawn: Drawn, work: Work, rows: range) -> tuple[float, list[Tensor]]:
    """Seconds of all rows, and their codes."""
    codes, seconds = [], 0.0
    for row in rows:
        maps = drawn.maps(row)
        drawn.synchronise()
        began = time.perf_counter()
        with torch.no_grad(), drawn.pipeline.fabric.autocast():
            code = work(row, maps).float()
        drawn.synchronise()
        seconds += time.perf_counter() - began
        codes.append(code)
    return seconds, codes


def keep(out: Path, name: str, figures: dict[str, tuple[float, str, int]], run: Path) -> None:
    """Write figures of one part, the run's recipe and the machine, and print the figures."""
    for figure, (value, unit, count) in figures.items():
        print(f"{figure:<48}{value:10.4g} {unit} (n = {count})", flush=True)
    recipe = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    content = {"figures": figures, "recipe": recipe, "machine": machine()}
    write_text(make_folder(out) / f"{name}.json", json.dumps(content))


@app.command
def equal(*, run: Path, cohort: Path, out: Path, cases: int = 12) -> None:
    """MONAI's DDIM and ours at equal steps, in turn, case by case."""
    drawn = Drawn(run, cohort, cases)
    ways: dict[str, Work] = {
        "monai": lambda row, maps: monai_ddim(drawn, row, maps, EQUAL_STEPS, cached=False),
        "monai_cached": lambda row, maps: monai_ddim(drawn, row, maps, EQUAL_STEPS, cached=True),
        "monai_placed": lambda row, maps: monai_ddim(drawn, row, maps, EQUAL_STEPS, True, True),
        "ours": lambda row, maps: our_ddim(drawn, row, maps, EQUAL_STEPS),
    }
    for work in ways.values():
        timed(drawn, work, range(1))  # warm
    seconds = dict.fromkeys(ways, 0.0)
    apart = 0.0
    for row in range(drawn.count):
        codes = {}
        for name, work in ways.items():
            own, codes[name] = timed(drawn, work, range(row, row + 1))
            seconds[name] += own
        apart = max(apart, *(
            float((codes["ours"][0] - codes[name][0]).abs().max()) for name in ways
        ))  # fmt: skip
    prefix = "sampling/equal_steps"
    keep(out, "equal", {
        f"{prefix}/speedup": (seconds["monai"] / seconds["ours"], "", drawn.count),
        f"{prefix}/speedup_with_features_read_once": (
            seconds["monai_cached"] / seconds["ours"], "", drawn.count),
        f"{prefix}/speedup_with_features_read_once_and_our_layout": (
            seconds["monai_placed"] / seconds["ours"], "", drawn.count),
        f"{prefix}/largest_difference": (apart, "SD", drawn.count),
        f"{prefix}/seconds_a_case": (seconds["ours"] / drawn.count, "s", drawn.count),
    }, run)  # fmt: skip


@app.command
def ancestral(*, run: Path, cohort: Path, out: Path, cases: int = 64, timed_cases: int = 2) -> None:
    """1,000 ancestral steps of MONAI beside our solvers: seconds and Fréchet distance of each."""
    drawn = Drawn(run, cohort, 2 * cases)
    half = drawn.count // 2
    scheduler = DDPMScheduler(
        num_train_timesteps=STEPS, schedule="cosine", prediction_type="sample", clip_sample=False
    )

    def theirs(rows: Sequence[int], cached: bool) -> Tensor:
        torch.manual_seed(rows[0])
        maps = [drawn.maps(row) for row in rows]
        given = [drawn.given(row, own) for row, own in zip(rows, maps, strict=True)]
        network = ForMonai(
            drawn.plain, torch.cat(maps).contiguous(), cached,
            tuple(torch.cat(own) for own in zip(*given, strict=True)),
        )  # fmt: skip
        noise = torch.cat([drawn.noise(row) for row in rows]).contiguous()
        code: Tensor = DiffusionInferer(scheduler).sample(noise, network, scheduler, verbose=False)
        return code

    def ours(kind: str, steps: int) -> Work:
        levels = (
            even_levels(steps) if kind == "ddim"
            else even_log_snr_levels(drawn.schedule, steps, 0.995, 0.02)
        )  # fmt: skip
        return lambda row, maps: _ours(drawn, row, maps, kind, levels)

    real = [drawn.pipeline.fingerprint.grid.place(scan) for scan in drawn.scans[: 2 * half]]
    features = radiomics_features([(scan.channels[0], scan.label_map) for scan in real])
    other = features[half:]
    figures = {
        "sampling/real_vs_real/frechet": (
            float(frechet_radiomics_distance(features[:half], other)), "", half)
    }  # fmt: skip
    slow, _ = timed(drawn, lambda row, maps: theirs([row], cached=False), range(timed_cases))
    figures["sampling/ancestral/seconds_a_case"] = (slow / timed_cases, "s", timed_cases)

    def measure(name: str, codes: Sequence[Tensor]) -> None:
        pairs = [drawn.image(row, code) for row, code in enumerate(codes)]
        distance = float(frechet_radiomics_distance(other, radiomics_features(pairs)))
        figures[f"sampling/{name}/frechet"] = (distance, "", half)
        keep(out, "ancestral", figures, run)

    for name, chosen in SOLVERS.items():
        seconds, codes = timed(drawn, ours(*chosen), range(half))
        figures[f"sampling/{name}/seconds_a_case"] = (seconds / half, "s", half)
        ratio = slow / timed_cases / (seconds / half)
        figures[f"sampling/{name}/speedup"] = (ratio, "", half)
        measure(name, codes)
    together: list[Tensor] = []
    with torch.no_grad(), drawn.pipeline.fabric.autocast():
        for first in range(0, half, AT_ONCE):  # for the distance alone, so several at once
            rows = range(first, min(first + AT_ONCE, half))
            together += theirs(rows, cached=True).float().split(1)
            print(f"1,000 ancestral steps of {len(together)} cases", flush=True)
    measure("ancestral", together)
    sound = figures["sampling/ancestral/frechet"][0]
    fine = [name for name in SOLVERS if figures[f"sampling/{name}/frechet"][0] <= sound]
    if fine:
        best = max(fine, key=lambda name: figures[f"sampling/{name}/speedup"][0])
        figures["sampling/ancestral/speedup"] = figures[f"sampling/{best}/speedup"]
        figures["sampling/ancestral/steps"] = (float(SOLVERS[best][1]), "steps", half)
    keep(out, "ancestral", figures, run)


@app.command
def cost(*, run: Path, out: Path, repeats: int = 2) -> None:
    """Seconds of one image from 32³ to 128³ voxels, with untrained weights of the run's recipe."""
    pipeline = one_call_a_step(run)
    voxels, seconds = [], []
    for side in SIDES:
        known = pipeline.fingerprint.changed(shape=(side, side, side))
        pipeline.model, pipeline.fingerprint = GuidedModel(pipeline.recipe, known), known
        for part in GUIDED_PARTS:
            placed(pipeline.model.part(part))
        sampled_often(pipeline.model.image_denoiser, "bf16-mixed")
        pipeline.calibration = None
        numbers = np.zeros((side, side, side), np.int16)
        label_map = Volume(numbers, np.array(known.affine))
        pipeline.image(label_map, 0)
        own = []
        for seed in range(repeats):
            began = time.perf_counter()
            pipeline.image(label_map, seed)
            own.append(time.perf_counter() - began)
        voxels.append(side**3)
        seconds.append(min(own))
    slope = float(np.polyfit(np.log(voxels), np.log(seconds), 1)[0])
    figures = {"sampling/cost_exponent": (slope, "", len(SIDES))}
    figures |= {
        f"sampling/cost/{side}/seconds_a_case": (own, "s", repeats)
        for side, own in zip(SIDES, seconds, strict=True)
    }  # fmt: skip
    keep(out, "cost", figures, run)


@app.command
def share(*, run: Path, cohort: Path, cases: int, rank: int, ranks: int) -> None:
    """Generate a share of some cases, for `processes`; tells when it is ready and done."""
    drawn = Drawn(run, cohort, cases)

    def work(row: int, maps: Tensor) -> Tensor:
        return our_ddim(drawn, row, maps, EQUAL_STEPS)

    timed(drawn, work, range(1))
    print("ready", flush=True)
    sys.stdin.readline()
    for row in range(cases)[rank::ranks]:
        _, codes = timed(drawn, work, range(row, row + 1))
        drawn.image(row, codes[0])
    print("done", flush=True)


@app.command
def processes(*, run: Path, cohort: Path, out: Path, cases: int = 24) -> None:
    """Cases a second of two processes beside one, in turn, one thread each."""

    def seconds(ranks: int) -> float:
        words = [sys.executable, __file__, "share", "--run", str(run), "--cohort", str(cohort),
                 "--cases", str(cases), "--ranks", str(ranks)]  # fmt: skip
        started = [
            subprocess.Popen(
                [*words, "--rank", str(rank)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
            )
            for rank in range(ranks)
        ]  # fmt: skip
        for one in started:
            while one.stdout and one.stdout.readline().strip() != "ready":
                pass
        began = time.perf_counter()
        for one in started:
            assert one.stdin
            one.stdin.write("go\n")
            one.stdin.flush()
        for one in started:
            one.wait()
        return time.perf_counter() - began

    ratios = [seconds(1) / seconds(2) for _ in range(2)]
    keep(out, "processes", {
        "sampling/two_processes/speedup": (float(np.mean(ratios)), "", cases)
    }, run)  # fmt: skip


@app.command
def collect(*, out: Path) -> None:
    """Write `docs/results/sampling.json` anew with the parts that were measured."""
    known = Results.of_file(KEPT)
    figures, notes = dict(known.figures), dict(known.notes)
    for name in PARTS:
        path = out / f"{name}.json"
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            figures |= {
                key: counted(*values, "cases", "measured once")
                for key, values in content["figures"].items()
            }
            notes[name] = {"recipe": content["recipe"], "machine": content["machine"]}
    Results("sampling", known.preset, 0, True, figures, notes).write(out)
    shutil.copyfile(out / "results.json", KEPT)


@app.command(name="all")
def every(*, run: Path, cohort: Path, out: Path) -> None:
    """All four, one after the other, and the results file."""
    equal(run=run, cohort=cohort, out=out)
    cost(run=run, out=out)
    processes(run=run, cohort=cohort, out=out)
    ancestral(run=run, cohort=cohort, out=out)
    collect(out=out)


if __name__ == "__main__":
    app()
