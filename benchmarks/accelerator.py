"""Every method on this machine's GPU, or at its smallest on a CPU: fit, sampling and use.

    python -m benchmarks.accelerator all --out OUT --minutes 9

Each method is fitted for some steps of the size that a workstation gets (of the smallest size where
there is no GPU), in a process of its own, on phantoms, and then used. It reports seconds a step of
each part, the peak of its memory beside what the plan says, the share of a step that it waits for
its cases, and cases a second of what the method is for; then MONAI's inferer beside ours, with the
same weights and steps. It ends in time: what is not measured by then is named. The results file has
the name of the card. n counts steps, or cases of the use.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
from cyclopts import App

import vesalius as vs
from benchmarks.memory import Watch
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.results import Results
from vesalius.methods import method
from vesalius.methods.pretraining.pipeline import Embedding
from vesalius.scans.progress import no_progress
from vesalius.scans.reading import Scans
from vesalius.scans.writing import make_folder, write_text
from vesalius.training import loop
from vesalius.training.device import compute_device
from vesalius.training.fit import fit, prepare
from vesalius.training.loader import Loader
from vesalius.training.recipe import FitRecipe, Settings

HERE = Path(__file__).resolve().parents[1]
MONAI_CASES = 4

app = App(help=__doc__)


@dataclass(frozen=True)
class Size:
    """How large everything is.

    Attributes:
        preset: of each method that has it; `others` names another.
        steps: of each part at most, `warm` of which are not counted.
        cases: that the use is measured on.
        phantoms: commands that make the cohorts.
    """

    preset: str
    steps: int
    warm: int
    cases: int
    phantoms: dict[str, str]
    others: dict[str, str] = field(default_factory=dict)


SIZES = {
    "smallest": Size("smallest", 8, 2, 4, {
        "brain": "phantom brain {out} -n 12 --spacing 4",
        "breast": "phantom breast {out} -n 12 --grid 32x32x32",
        "spine": "phantom spine {out} -n 12 --slice-mm 6 --pixel-mm 2",
        "radiograph": "phantom radiograph {out} -n 40 --side 32",
        "knee": "phantom knee {out} -n 20 --side 16",
    }),
    "workstation": Size("workstation", 40, 10, 16, {
        "brain": "phantom brain {out} -n 48 --spacing 2",
        "breast": "phantom breast {out} -n 48 --grid 96x96x96",
        "spine": "phantom spine {out} -n 48",
        "radiograph": "phantom radiograph {out} -n 400",
        "knee": "phantom knee {out} -n 120",
    }, {"progression": "study"}),
}  # fmt: skip


def chosen(size: str) -> Size:
    """A size, by default the one that suits this machine."""
    return SIZES[size or ("workstation" if compute_device().type == "cuda" else "smallest")]


def shortened(recipe: Settings, steps: int) -> Settings:
    """A recipe whose fits end early, with all that a step has, and that takes whatever comes."""
    if isinstance(recipe, FitRecipe):
        return recipe.changed(steps=min(steps, recipe.steps), validate_every=0)
    own = {name: getattr(recipe, name) for name in type(recipe).model_fields}
    inner = {
        name: shortened(one, steps) for name, one in own.items() if isinstance(one, Settings)
    }  # fmt: skip
    accepted = {"least_psnr": 0.0, "least_ssim": -1.0, "critics_from": 0}
    return recipe.changed(**inner, **{k: v for k, v in accepted.items() if k in own})


class Parts:
    """Times, memory and waits of each part of a fit, by its progress."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}
        self.peaks: dict[str, float] = {}
        self.loaders: list[Loader] = []
        self.waits: dict[str, float] = {}
        self.gpu = compute_device().type == "cuda"

    def __call__(self, what: str, done: int, of: int | None) -> None:
        if not what.startswith("fitting "):
            return
        part = what.removeprefix("fitting ").replace(" ", "_")
        if part not in self.times and self.gpu:
            torch.cuda.reset_peak_memory_stats()
        if self.gpu:
            torch.cuda.synchronize()
            self.peaks[part] = float(torch.cuda.max_memory_allocated())
        self.times.setdefault(part, []).append(time.perf_counter())
        if self.loaders:
            self.waits[part] = self.loaders[-1].waited_seconds

    def figures(self, warm: int) -> dict[str, tuple[float, str, int]]:
        """Seconds a step and the share that it waits."""
        result: dict[str, tuple[float, str, int]] = {}
        for part, times in self.times.items():
            own = [late - early for early, late in pairwise(times)][max(0, warm - 1) :]
            if not own:
                continue
            result[f"{part}/seconds_a_step"] = (median(own), "s", len(own))
            share = self.waits.get(part, 0.0) / (times[-1] - times[0])
            result[f"{part}/wait_share"] = (share, "", len(times))
            if part in self.peaks:
                result[f"{part}/peak_gb"] = (self.peaks[part] / 1e9, "GB", len(times))
        return result


@dataclass(frozen=True)
class Use:
    """What a method is for, on a run of it.

    Attributes:
        cohort: of phantoms, which it is fitted on as well.
        work: on a run, a cohort, a folder that is not there yet and a number of cases; returns how
            many cases it did.
    """

    cohort: str
    work: Callable[[Path, Path, Path, int], int]


def _images(run: Path, cohort: Path, out: Path, cases: int) -> int:
    model = vs.load(run)
    wanted = [(one.low + one.high) / 2 for one in model.fingerprint.attributes]
    for seed in range(cases):
        model.image(model.label_map(wanted, seed), seed)
    return cases


def _generate(run: Path, cohort: Path, out: Path, cases: int) -> int:
    return len(vs.generate(run, out=out, count=cases, progress=no_progress).cohort.cases)


def _inpaint(run: Path, cohort: Path, out: Path, cases: int) -> int:
    scan = next(one for one in vs.Cohort.open(cohort).cases if one.split != "test").images[0]
    made = vs.inpaint(run, scan, "herniation", "L4-L5", out=out, count=cases,
                      tolerance_mm=50, progress=no_progress)  # fmt: skip
    return len(made.cohort.cases)


def _segment(run: Path, cohort: Path, out: Path, cases: int) -> int:
    return vs.segment(run, cohort, out=out, progress=no_progress).count


def _embed(run: Path, cohort: Path, out: Path, cases: int) -> int:
    given = vs.Cohort.open(cohort)
    scans = Scans([(given, case) for case in given.cases])
    embedding = Embedding(run, len(scans[0].channels))
    for scan in scans:
        embedding.of(scan)
    return len(scans)


def _classify(run: Path, cohort: Path, out: Path, cases: int) -> int:
    return len(vs.classify(run, cohort, out=out, progress=no_progress))


def _forecast(run: Path, cohort: Path, out: Path, cases: int) -> int:
    made = vs.forecast(run, cohort, out=out, years=(1.0, 4.0), progress=no_progress)
    return len(made.risks)


USES = {
    "guided": Use("brain", _images), "volumes": Use("breast", _generate),
    "inpainting": Use("spine", _inpaint), "segmentation": Use("brain", _segment),
    "pretraining": Use("brain", _embed), "classification": Use("radiograph", _classify),
    "progression": Use("knee", _forecast),
}  # fmt: skip


@app.command
def one(name: str, *, out: Path, size: str) -> None:
    """Fit and use one method in this process, and keep its figures."""
    own = SIZES[size]
    cohort = out / USES[name].cohort
    recipe = method(name).recipe(preset=own.others.get(name, own.preset))
    ready = prepare(method(name), cohort, shortened(recipe, own.steps))
    parts = Parts()
    _watched(parts)
    watch = None if parts.gpu else Watch()
    began = time.perf_counter()
    run = fit(ready, out / "runs" / name, parts)
    figures = parts.figures(own.warm)
    figures["fit/seconds"] = (time.perf_counter() - began, "s", 1)
    for planned in ready.plan.fits:
        figures[f"{planned.part}/planned_gb"] = (planned.cost.peak_bytes / 1e9, "GB", 1)
        if planned.steps:
            step = planned.seconds / planned.steps
            figures[f"{planned.part}/planned_seconds_a_step"] = (step, "s", 1)
    if watch:
        figures["host/peak_gb"] = (watch.finish() / 1e9, "GB", 1)
        figures["host/planned_gb"] = (ready.plan.peak_bytes / 1e9, "GB", 1)
    keep(out, name, figures)
    place = make_folder(out / "used" / name)
    began = time.perf_counter()
    count = USES[name].work(run.folder, cohort, place / "out", own.cases)
    took = time.perf_counter() - began
    figures["use/cases_a_second"] = (count / took, "cases/s", count)
    keep(out, name, figures)


def _watched(parts: Parts) -> None:
    """Let a loop's loaders be known to `parts`."""

    class Watched(Loader):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            parts.loaders.append(self)

    loop.Loader = Watched  # type: ignore[attr-defined]


def keep(out: Path, name: str, figures: dict[str, tuple[float, str, int]]) -> None:
    """Write the figures of one method, as far as they are known."""
    write_text(make_folder(out / "figures") / f"{name}.json", json.dumps(figures))


@app.command(name="all")
def every(*, out: Path, minutes: float = 9.0, size: str = "") -> None:
    """All methods within some minutes, and the results file."""
    ends, out = time.monotonic() + 60 * minutes, out.resolve()
    name = next(key for key, value in SIZES.items() if value is chosen(size))
    missing = []
    for left in ("figures", "runs", "used", "sampling"):  # of an earlier run
        shutil.rmtree(out / left, ignore_errors=True)
    for kind, line in SIZES[name].phantoms.items():
        _within(ends, ["-m", "vesalius", *line.format(out=out / kind).split()])
    for own in USES:
        words = ["-m", "benchmarks.accelerator", "one", own, "--out", str(out), "--size", name]
        if not _within(ends, words):
            missing.append(own)
    monai = ["-m", "benchmarks.sampling", "equal", "--cases", str(MONAI_CASES)]
    for option, place in (("run", "runs/guided"), ("cohort", "brain"), ("out", "sampling")):
        monai += [f"--{option}", str(out / place)]
    if "guided" in missing or not _within(ends, monai):
        missing.append("monai_inferer")
    collect(out=out, size=name, missing=missing)


def _within(ends: float, words: list[str]) -> bool:
    """Run a module of ours until a point in time; whether it ended well."""
    left = ends - time.monotonic()
    if left < 1:
        return False
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *words], cwd=HERE, timeout=left, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@app.command
def collect(*, out: Path, size: str = "", missing: list[str] | None = None) -> None:
    """Write `results.json` of what was measured, and print it."""
    kept: dict[str, Figure] = {}
    places = {one.stem: one for one in sorted((out / "figures").glob("*.json"))}
    if (out / "sampling/equal.json").is_file():
        places["monai_inferer"] = out / "sampling/equal.json"
    for name, place in places.items():
        for key, values in json.loads(place.read_text(encoding="utf-8")).items():
            last = key.removeprefix("sampling/equal_steps/")
            kept[f"accelerator/{name}/{last}"] = counted(*values, "cases", "measured once")
    for key, figure in kept.items():
        print(f"{key:<64}{figure.value:10.4g} {figure.unit} ({figure.size})")
    gpu = compute_device().type == "cuda"
    notes = {"card": torch.cuda.get_device_name() if gpu else "", "not_measured": missing or []}
    preset = chosen(size).preset
    Results("accelerator", preset, 0, True, kept, notes).write(out)
    if missing:
        print(f"not measured: {', '.join(missing)}")


if __name__ == "__main__":
    app()
