"""Damaged input at every entrance: a refusal or a listed fault, and nothing else.

    python -m benchmarks.fuzz --tried 50000 --out fuzz/ --results docs/results/fuzz.json

One process, seeded: input n of an entrance is the same in every campaign of a seed. Killed, the
same command goes on. What an input may lead to is a refusal of one line of at most 300 characters,
or faults that are listed with all sound cases kept; within 5 seconds, within 1 GB more than before,
with nothing written but into the output, nothing unpickled, no process started, no address called.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from benchmarks.fuzz_entrances import ENTRANCES, Broken, Entrance, Reported
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import number_of
from vesalius.evidence.results import Results
from vesalius.scans.input_error import LONGEST_MESSAGE, InputError
from vesalius.scans.writing import append_line

SECONDS, MORE_BYTES, PATIENCE = 5.0, 1e9, 20
WRITING = ("w", "a", "x", "+")
QUIET = ("/dev/null", "/proc/self/clear_refs")


class TooSlow(BaseException):
    """An input took so long that it was given up; no reader may catch it."""


@dataclass(frozen=True)
class Violation:
    """An input that ended otherwise than it may."""

    entrance: str
    number: int
    what: str
    where: str = ""


class Watch:
    """Hears of files that are opened for writing, of pickles, processes and connections."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] = ()
        self.heard: list[str] = []
        self.listening = False
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.listening:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = any(c in (mode or "") for c in WRITING) or bool((flags or 0) & 0o3)
            # A nameless file is asked for by the name of its folder.
            nameless = path == tempfile.gettempdir()
            if writes and isinstance(path, str | bytes) and not nameless and not self._may(path):
                self.heard.append(f"writes {path!r}")
        elif event in ("pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.fork"):
            self.heard.append(f"{event} {str(arguments)[:80]}")
        elif event == "socket.connect":
            self.heard.append(f"connects {arguments[1]!r}")

    def _may(self, path: str | bytes) -> bool:
        name = path.decode(errors="replace") if isinstance(path, bytes) else path
        return name in QUIET or name.startswith(self.allowed)

    @contextlib.contextmanager
    def over(self, *allowed: Path) -> Iterator[list[str]]:
        """What was heard while something ran that may write below some folders alone."""
        self.allowed = tuple(str(path) for path in allowed)
        self.heard, self.listening = [], True
        try:
            yield self.heard
        finally:
            self.listening = False


def campaign(
    tried: int, seed: int, kept: Path, work: Path, log: Path | None = None,
    only: Sequence[str] = (),
) -> tuple[dict[str, int], list[Violation]]:  # fmt: skip
    """Try the first `tried` inputs, spread over the entrances by their shares.

    Args:
        tried: how many in all.
        seed: of the campaign.
        kept: sound files of every kind.
        work: a folder for inputs and outputs.
        log: a file by which a killed campaign goes on.
        only: some entrances.

    Returns:
        how many were tried at each entrance, and what was violated.
    """
    chosen = [one for one in ENTRANCES if not only or one.name in only]
    shares = np.array([one.share for one in chosen])
    counts = np.maximum(1, np.round(tried * shares / shares.sum())).astype(int)
    done, found = _remembered(log)
    watch = Watch()
    for entrance, count in zip(chosen, counts, strict=True):
        sound = work / "sound" / entrance.name
        shutil.rmtree(sound, ignore_errors=True)
        sound.mkdir(parents=True)
        with _quiet():
            entrance.prepare(kept, sound)
        for number in range(done.get(entrance.name, 0), int(count)):
            violation = _one(entrance, number, seed, sound, work, watch)
            if violation:
                found.append(violation)
                print(f"  {entrance.name} {number}: {violation.what} {violation.where}", flush=True)
            if log:
                entry = {"entrance": entrance.name, "number": number,
                         "violation": asdict(violation) if violation else None}  # fmt: skip
                append_line(log, json.dumps(entry))
        broken = sum(one.entrance == entrance.name for one in found)
        print(f"{entrance.name}: {count} tried, {broken} violations", flush=True)
    return {one.name: int(n) for one, n in zip(chosen, counts, strict=True)}, found


def _one(
    entrance: Entrance, number: int, seed: int, sound: Path, work: Path, watch: Watch
) -> Violation | None:
    """Damage one input, let it in, and hold what happens against the contract."""
    rng = np.random.default_rng([seed, zlib.crc32(entrance.name.encode()), number])
    place, out = work / "input", work / "out"
    for folder in (place, out):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, place)
    out.mkdir()
    kept = entrance.damage(place, rng)
    before, start = _peak(reset=True), time.monotonic()
    problem, where = "", ""
    with watch.over(out, place if entrance.writes_input else out) as heard, _quiet(), _patience():
        try:
            problem = _problem_of(entrance.enter(place, out, rng), kept)
        except InputError as refusal:
            problem = _problem_of(Reported([refusal.fault]), None)
        except TooSlow:
            problem = f"took more than {PATIENCE} s"
        except Broken as broken:
            problem = str(broken)
        except (Exception, SystemExit) as error:
            problem = f"{type(error).__name__}: {error}"[:200]
            where = _place(error)
    seconds, more = time.monotonic() - start, _peak() - before
    if not problem and heard:
        problem = heard[0]
    if not problem and seconds > SECONDS:
        problem = f"took {seconds:.1f} s"
    if not problem and more > MORE_BYTES:
        problem = f"took {more / 1e9:.1f} GB"
    if more > MORE_BYTES / 4:
        gc.collect()
    return Violation(entrance.name, number, problem, where) if problem else None


def _problem_of(reported: Reported, kept: int | None) -> str:
    """What is wrong with how faults are told, or with what was kept beside them."""
    if kept is not None and reported.sound is not None and reported.sound < kept:
        return f"kept {reported.sound} of {kept} sound cases"
    for fault in reported.faults:
        line = str(fault)
        if len(line) > LONGEST_MESSAGE or not line.isprintable() or ";" not in line:
            return f"tells a fault of {len(line)} characters: {line[:120]!r}"
    return ""


def _place(error: BaseException) -> str:
    """The last line of our own in a traceback."""
    own = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "vesalius" in frame.filename
    ]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    def give_up(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(io.StringIO()):
            yield


def _peak(reset: bool = False) -> float:
    """Largest memory of this process, since the last reset; bytes."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    name = "VmRSS" if reset else "VmHWM"
    return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def _remembered(log: Path | None) -> tuple[dict[str, int], list[Violation]]:
    done: dict[str, int] = {}
    found = []
    if log and log.exists():
        for line in log.read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut short by a kill
            done[entry["entrance"]] = max(done.get(entry["entrance"], 0), entry["number"] + 1)
            if entry["violation"]:
                found.append(Violation(**entry["violation"]))
    return done, found


def results_of(counts: dict[str, int], found: Sequence[Violation], seed: int) -> Results:
    """Figures by entrance: how many inputs were tried, how many violated the contract."""
    figures: dict[str, Figure] = {}
    for name, count in counts.items():
        broken = sum(one.entrance == name for one in found)
        figures[f"fuzz/{name}/tried"] = counted(count, "inputs", count, "inputs")
        figures[f"fuzz/{name}/violations"] = number_of(broken, count, "violations", "inputs")
    tried, broken = sum(counts.values()), len(found)
    figures["fuzz/all/tried"] = counted(tried, "inputs", tried, "inputs")
    figures["fuzz/all/violations"] = number_of(broken, tried, "violations", "inputs")
    notes = {
        "contract": __doc__.splitlines()[0] if __doc__ else "",
        "violations": [asdict(one) for one in found[:200]],
    }
    return Results("fuzz", "", seed, True, figures, notes)


def main() -> None:
    """Run a campaign and write what it found."""
    parser = argparse.ArgumentParser(description="Damaged input at every entrance.")
    parser.add_argument("--tried", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path, default=Path("tests/kept/form-1"))
    parser.add_argument("--out", type=Path, default=None, help="goes on there if it was killed")
    parser.add_argument("--results", type=Path, default=None, help="JSON of the figures")
    parser.add_argument("--only", nargs="*", default=[])
    chosen = parser.parse_args()
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as work:
        counts, found = campaign(
            chosen.tried, chosen.seed, chosen.kept, Path(work),
            chosen.out / "fuzz.jsonl" if chosen.out else None, chosen.only,
        )  # fmt: skip
    results = results_of(counts, found, chosen.seed)
    for name in ("fuzz/all/tried", "fuzz/all/violations"):
        print(name, results.figures[name])
    if chosen.results:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(results.write(Path(folder)), chosen.results)
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
