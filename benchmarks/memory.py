"""Does memory grow with the cohort? Each method with 40 and with 400 cases of one size.

    python benchmarks/memory.py --out OUT

Every fit, the audit and the proof run in a process of their own, at the smallest preset, and their
memory is looked at every 5 ms. Counted is memory that cannot be given back (`RssAnon`): pages of
files that are mapped, such as the cases on disk, are dropped when another needs the room. 2,000
phantoms of 64³ are fitted under a `RLIMIT_DATA` of 4 GB, beyond which the system refuses memory. It
writes `docs/results/memory.json`. n counts cases.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from cyclopts import App

from vesalius.cli import main as vesalius
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.results import Results
from vesalius.scans.writing import write_text

HERE = Path(__file__).resolve().parents[1]
FEW, MANY, LARGE = 40, 400, 2000
LIMIT_BYTES = 4_000_000_000
PHANTOMS = {
    "brains": "phantom brain {out} -n {n} --spacing 4",
    "spines": "phantom spine {out} -n {n} --slice-mm 6 --pixel-mm 2",
    "nodules": "phantom nodule {out} -n {n} --side 48",
    "knees": "phantom knee {out} -n {n} --side 16",
    "unseen": "phantom brain {out} -n 20 --spacing 4 --seed 1",
    "made": "phantom brain {out} -n 40 --spacing 4 --seed 2",
}
COMMANDS = {
    "guided": ("brains", "fit guided {cohort} --out {out} --preset smallest"),
    "volumes": ("brains", "fit volumes {cohort} --out {out} --preset smallest"),
    "segmentation": ("brains", "fit segmenter {cohort} --out {out} --preset smallest"),
    "pretraining": ("brains", "pretrain {cohort} --out {out} --preset smallest"),
    "inpainting": ("spines", "fit inpainting {cohort} --out {out} --preset smallest"),
    "classification": (
        "nodules", "fit classifier {cohort} --out {out} --preset smallest --side 48"),
    "progression": ("knees", "fit progression {cohort} --out {out} --preset smallest"),
    "audit": ("brains", "audit {cohort} {made} --holdout {unseen} --out {out}"),
    "prove": ("brains", "prove {cohort} {made} --test {unseen} --out {out} --preset smallest"),
}  # fmt: skip

app = App(help=__doc__)


class Watch:
    """The largest anonymous memory of this process, and of those that it starts, in bytes."""

    def __init__(self) -> None:
        self.peak, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        status = Path("/proc/self/status")
        while not self._over.is_set():
            text = status.read_text(encoding="utf-8")
            self.peak = max(self.peak, 1024 * int(text.split("RssAnon:")[1].split()[0]))
            time.sleep(0.005)

    def finish(self) -> int:
        self._over.set()
        self._thread.join()
        return self.peak


@app.command
def one(*words: str, limit: int = 0, kept: Path) -> None:
    """Run one command and keep its peak memory; `limit` is a RLIMIT_DATA in bytes."""
    if limit:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    watch = Watch()
    try:
        vesalius(list(words))
    except SystemExit as end:
        if end.code not in (0, 3):
            raise
    peak = watch.finish()
    largest = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_text(kept, json.dumps({"anonymous": peak, "resident": largest}))


def peaks_of(line: str, kept: Path, limit: int = 0) -> dict[str, float]:
    """What one command took, from an earlier run of this benchmark if it is there."""
    if not kept.is_file():
        words = [sys.executable, __file__, "one", "--kept", str(kept), "--limit", str(limit)]
        # One arena for all threads: what many of them keep for later use is no cohort.
        tuned = os.environ | {"MALLOC_ARENA_MAX": "1"}
        subprocess.run([*words, "--", *line.split()], check=True, env=tuned,
                       stdout=subprocess.DEVNULL)  # fmt: skip
    return {name: float(value) for name, value in json.loads(kept.read_text("utf-8")).items()}


def phantoms(out: Path, kind: str, count: int) -> Path:
    """A cohort, made once."""
    place = out / f"{kind}_{count}"
    vesalius(PHANTOMS[kind].format(out=place, n=count).split())
    return place


@app.command
def ratios(*, out: Path, only: list[str] | None = None) -> None:
    """Peak memory of each command with few and with many cases."""
    others = {kind: phantoms(out, kind, 0) for kind in ("unseen", "made")}
    for name in only or COMMANDS:
        kind, line = COMMANDS[name]
        peaks = []
        for count in (FEW, MANY):
            cohort, run = phantoms(out, kind, count), out / "runs" / f"{name}_{count}"
            kept = out / f"{name}_{count}.json"
            shown = line.format(cohort=cohort, out=run, **others)
            peaks.append(peaks_of(shown, kept)["anonymous"])
            shutil.rmtree(run, ignore_errors=True)
        print(f"{name:<16}{peaks[0] / 1e6:8.0f} MB{peaks[1] / 1e6:8.0f} MB"
              f"{peaks[1] / peaks[0]:8.3f}", flush=True)  # fmt: skip


@app.command
def large(*, out: Path) -> None:
    """2,000 phantoms of 64³ through a fit of volumes whose memory is bounded."""
    cohort = out / "breasts_2000"
    vesalius(f"phantom breast {cohort} -n {LARGE} --grid 64x64x64".split())
    run = out / "runs" / "volumes_2000"
    line = f"fit volumes {cohort} --out {run} --preset smallest"
    peaks = peaks_of(line, out / "volumes_2000.json", LIMIT_BYTES)
    shutil.rmtree(run, ignore_errors=True)
    print({name: round(value / 1e9, 3) for name, value in peaks.items()})


def _once(value: float, unit: str, cases: int) -> Figure:
    return counted(value, unit, cases, "cases", "measured once")


@app.command
def collect(*, out: Path) -> None:
    """Write `docs/results/memory.json` of what was measured; other commands keep their figures."""
    kept = HERE / "docs/results/memory.json"
    earlier = Results.of_file(kept) if kept.is_file() else None
    figures = earlier.figures if earlier else {}
    apart = dict(earlier.notes.get("measured_apart", {})) if earlier else {}
    measured: list[str] = []
    for name in COMMANDS:
        if not (out / f"{name}_{MANY}.json").is_file():
            continue
        measured.append(name)
        peaks = {}
        for count in (FEW, MANY):
            content = json.loads((out / f"{name}_{count}.json").read_text("utf-8"))
            peaks[count] = content["anonymous"]
            figures[f"memory/{name}/peak_gb_{count}"] = _once(peaks[count] / 1e9, "GB", count)
            resident = content["resident"] / 1e9
            figures[f"memory/{name}/resident_gb_{count}"] = _once(resident, "GB", count)
        ratio = peaks[MANY] / peaks[FEW]
        figures[f"memory/{name}/peak_ratio_400_to_40"] = _once(ratio, "", MANY)
    if (out / "volumes_2000.json").is_file():
        content = json.loads((out / "volumes_2000.json").read_text("utf-8"))
        for name, key in (("peak_gb", "anonymous"), ("resident_gb", "resident")):
            figures[f"memory/volumes_2000/{name}"] = _once(content[key] / 1e9, "GB", LARGE)
    notes = {"commands": {name: line for name, (_, line) in COMMANDS.items()},
             "phantoms": PHANTOMS, "limit_bytes_of_2000": LIMIT_BYTES}  # fmt: skip
    result = Results("memory", "smallest", 0, True, figures, notes | {"measured_apart": apart})
    if earlier:  # whose versions and machine most figures are of
        where = {"versions": result.versions, "machine": result.machine}
        apart |= dict.fromkeys(measured, where)
        result = replace(result, versions=earlier.versions, machine=earlier.machine)
    result.write(out)
    shutil.copyfile(out / "results.json", kept)


@app.default
def main(*, out: Path) -> None:
    """Measure all of it and write `docs/results/memory.json`."""
    ratios(out=out)
    large(out=out)
    collect(out=out)


if __name__ == "__main__":
    app()
