"""How long does a step wait for its cases, and how does a fit run beside another busy process?

    python benchmarks/loading.py all --cohort COHORT --out OUT

COHORT is one of phantoms of 64³, such as of `vesalius phantom breast COHORT -n 40`. The autoencoder
of whole volumes is fitted at the size of the demo. `waiting` counts the seconds that steps wait for
cases, with a reading thread and without, each in a process of its own; `shared` takes steps a
second alone and beside a process that computes convolutions on all cores, with threads that wait as
this library chooses and as OpenMP would. It writes `docs/results/loading.json` and
`docs/results/shared_machine.json`. n counts steps.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from cyclopts import App

HERE = Path(__file__).resolve().parents[1]
STEPS, WARM = 25, 5
BUSY = """
import sys, torch
if len(sys.argv) > 1:
    torch.set_num_threads(int(sys.argv[1]))
layer, x = torch.nn.Conv3d(32, 32, 3, padding=1), torch.rand(1, 32, 48, 48, 48)
print("ready", flush=True)
while True:
    layer(x).sum().backward()
"""

app = App(help=__doc__)


@app.command
def fit(*, cohort: Path, workers: int, waiting: Literal["chosen", "default"]) -> None:
    """Fit for some steps in this process, and print what they took."""
    if waiting == "chosen":
        from vesalius.scans.computing import be_friendly

        be_friendly()

    from vesalius.methods.volumes.method import Volumes
    from vesalius.scans.computing import set_computing
    from vesalius.training import loop
    from vesalius.training.fit import fit as fit_prepared
    from vesalius.training.fit import prepare
    from vesalius.training.loader import Loader

    class Stopped(Exception):
        """Once enough steps are measured."""

    class Watched(Loader):
        def __iter__(self) -> Iterator[Any]:
            began = waited = 0.0
            for number, given in enumerate(super().__iter__()):
                if number == WARM:
                    began, waited = time.perf_counter(), self.waited_seconds
                if number == WARM + STEPS:
                    took = time.perf_counter() - began
                    share = (self.waited_seconds - waited) / took
                    print(json.dumps({"steps_a_second": STEPS / took, "wait_share": share}))
                    raise Stopped
                yield given

    set_computing(workers=workers)
    loop.Loader = Watched  # type: ignore[attr-defined]
    recipe = Volumes().recipe(preset="demo")
    with tempfile.TemporaryDirectory() as place:
        with suppress(Stopped):
            fit_prepared(prepare(Volumes(), cohort, recipe), Path(place) / "run")


def steps(cohort: Path, workers: int = 1, waiting: str = "chosen") -> dict[str, float]:
    """What a fit in a process of its own took."""
    words = [sys.executable, "-W", "ignore", __file__, "fit", "--cohort", str(cohort),
             "--workers", str(workers), "--waiting", waiting]  # fmt: skip
    plain = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS")}
    done = subprocess.run(words, env=plain, check=True, capture_output=True, text=True).stdout
    result: dict[str, float] = json.loads(done.splitlines()[-1])
    return result


def write(name: str, out: Path, figures: dict[str, float], units: dict[str, str]) -> None:
    """Keep figures with the documents, and print them."""
    from vesalius.evidence.figure import counted
    from vesalius.evidence.results import Results

    for key, value in figures.items():
        print(f"{key:<48}{value:8.3f}", flush=True)
    kept = {
        key: counted(value, units.get(key, ""), STEPS, "steps", "measured once")
        for key, value in figures.items()
    }
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    Results(name, "demo", 0, True, kept, {"warm_steps": WARM}).write(folder)
    shutil.copyfile(folder / "results.json", HERE / "docs/results" / f"{name}.json")


@app.command
def waiting(*, cohort: Path, out: Path) -> None:
    """The share of a step's time that it waits for its cases."""
    own, plain = steps(cohort, workers=1), steps(cohort, workers=0)
    write("loading", out, {
        "loading/wait_share": own["wait_share"],
        "loading/wait_share_without_thread": plain["wait_share"],
        "loading/speedup_by_thread": own["steps_a_second"] / plain["steps_a_second"],
    }, {})  # fmt: skip


@app.command
def shared(*, cohort: Path, out: Path) -> None:
    """Steps a second alone and beside a busy process, with both ways to wait.

    The busy process computes on as many processors as there are, and in a second trial on one.
    """
    figures: dict[str, float] = {}
    for way in ("chosen", "default"):
        alone = steps(cohort, waiting=way)["steps_a_second"]
        figures[f"shared_machine/{way}/steps_a_second_alone"] = alone
        for name, threads in (("beside", ()), ("beside_one_processor", ("1",))):
            with subprocess.Popen(
                [sys.executable, "-c", BUSY, *threads], stdout=subprocess.PIPE, text=True,
                env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
            ) as busy:  # fmt: skip
                assert busy.stdout
                busy.stdout.readline()
                beside = steps(cohort, waiting=way)["steps_a_second"]
                busy.kill()
            figures[f"shared_machine/{way}/steps_a_second_{name}"] = beside
            slowed = name.replace("beside", "slowdown")
            figures[f"shared_machine/{way}/{slowed}"] = alone / beside
    figures["shared_machine/slowdown"] = figures["shared_machine/chosen/slowdown"]
    figures["shared_machine/alone_against_default"] = (
        figures["shared_machine/chosen/steps_a_second_alone"]
        / figures["shared_machine/default/steps_a_second_alone"]
    )
    units = {key: "steps/s" for key in figures if "steps_a_second" in key}
    write("shared_machine", out, figures, units)


@app.command(name="all")
def every(*, cohort: Path, out: Path) -> None:
    """Both."""
    waiting(cohort=cohort, out=out)
    shared(cohort=cohort, out=out)


if __name__ == "__main__":
    app()
