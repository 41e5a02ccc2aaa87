"""Commands that are killed, doubled, starved and misled: the same command afterwards ends the same.

    python -m benchmarks.kills --kills 200 --results docs/results/kills.json

Each command is killed by SIGKILL at random moments, several times in a row on one output, and then
let through: every file must have the bytes of a run that nobody disturbed (times of day left out).
Beside it: two processes on one output, a full disk, a disk that cannot be written, an output inside
an input, and a case that is replaced while it is read. The server of reader studies is killed while
people answer: no acknowledged answer may be lost.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.reader_study import killed, lost, study_of_maps
from vesalius.cli import main as command_line
from vesalius.evidence.figure import Figure, counted
from vesalius.evidence.intervals import number_of
from vesalius.evidence.results import Results
from vesalius.readers.answers.store import Store
from vesalius.training import loop

KILLS_IN_A_ROW, LONGEST_SECONDS = 3, 300.0
TIMED = ("seconds", "seal", "machine", "versions")
"""Entries of JSON files that tell times, or hang on such."""


@dataclass(frozen=True)
class Command:
    """A command that writes.

    Attributes:
        name: of it in the figures.
        words: with `{out}` and the names of inputs in braces.
        share: of the kills.
    """

    name: str
    words: str
    share: float = 1.0


COMMANDS = (
    Command("phantom", "phantom brain {out} -n 6 --spacing 6 --workers 2", 0.2),
    Command("fit_guided", "fit guided {brains} --out {out} --preset smallest --spacing 12", 1.5),
    Command("fit_inpainting", "fit inpainting {spines} --out {out} --preset smallest", 1.5),
    Command("fit_volumes", "fit volumes {brains} --out {out} --preset smallest", 1.5),
    Command("fit_segmenter", "fit segmenter {brains} --out {out} --preset smallest"),
    Command("fit_classifier", "fit classifier {radiographs} --out {out} --preset smallest"
            " --side 32", 1.5),
    Command("fit_progression", "fit progression {knees} --out {out} --preset smallest", 1.5),
    Command("pretrain", "pretrain {brains} --out {out} --preset smallest"),
    Command("generate", "generate {guided} --out {out} -n 6 --tolerance 0.9 --tries 50"
            " --attribute ventricle_volume_ml=15:25"),
    Command("generate_volumes", "generate {volumes} --out {out} -n 6"),
    Command("balance", "balance {brains} --run {guided} --out {out} -n 5 --tolerance 0.9"
            " --tries 50 --attribute ventricle_volume_ml=12:30"),
    Command("inpaint", "inpaint {inpainting} {spine} --out {out} --pathology herniation"
            " --level L4-L5 -n 4 --tolerance 99"),
    Command("segment", "segment {segmenter} {brains} --out {out}"),
    Command("experiment", "experiment volumes --preset smallest --organ breast --out {out}", 0.5),
)  # fmt: skip

NEWER = (
    Command("import_dicom", "import {dicom} {out} --key {dicom}.key --channel T1=*T1 --workers 1"),
)
"""Not among the figures of the page, which are older: `--only` runs them."""


@dataclass
class Count:
    """How often something was tried, and what went wrong."""

    tried: int = 0
    violations: list[str] = field(default_factory=list)


class Stage:
    """Sound inputs, undisturbed outputs, and processes that run commands.

    Processes are forked from this one, which has loaded all libraries: a kill may then hit any
    moment of the work, not only the seconds of loading.

    Args:
        work: a folder.
        threads: of each process.
    """

    def __init__(self, work: Path) -> None:
        self.work = work
        self.inputs: dict[str, Path] = {}

    def prepare(self, commands: Sequence[Command] = COMMANDS) -> None:
        """Make the inputs of some commands."""
        wanted = " ".join(command.words for command in commands)
        for name in ("spine", "guided", "inpainting", "volumes", "segmenter", "dicom"):
            if f"{{{name}}}" in wanted:
                wanted += {"spine": "{healthy}", "inpainting": "{spines}"}.get(name, "{brains}")
        for name, words in (
            ("brains", "phantom brain {out} -n 16 --spacing 6 --workers 1"),
            (
                "spines",
                "phantom spine {out} -n 12 --pixel-mm 2 --herniation 0.4 --stenosis 0.4"
                " --workers 1",
            ),
            (
                "healthy",
                "phantom spine {out} -n 1 --pixel-mm 2 --herniation 0 --stenosis 0 --workers 1",
            ),
            ("radiographs", "phantom radiograph {out} -n 40 --side 32 --workers 1"),
            ("knees", "phantom knee {out} -n 24 --side 32 --years 0,4 --workers 1"),
            ("dicom", "export {brains} {out} --as dicom"),
            ("guided", "fit guided {brains} --out {out} --preset smallest --spacing 12"),
            ("inpainting", "fit inpainting {spines} --out {out} --preset smallest"),
            ("volumes", "fit volumes {brains} --out {out} --preset smallest"),
            ("segmenter", "fit segmenter {brains} --out {out} --preset smallest"),
        ):
            if f"{{{name}}}" not in wanted:
                continue
            out = self.work / "inputs" / name
            code, said = self.finished(self.words(words, out))
            if code:
                raise RuntimeError(f"{name} cannot be prepared: {said[-500:]}")
            self.inputs[name] = out
        if "healthy" in self.inputs:
            self.inputs["spine"] = next((self.inputs["healthy"] / "imagesTr").iterdir())

    def words(self, words: str, out: Path) -> list[str]:
        """The words of a command on some output."""
        places = {name: str(path) for name, path in self.inputs.items()}
        return words.format(out=out, **places).split()

    def started(self, words: list[str]) -> tuple[int, Path]:
        """A process that runs a command, and the file of what it says."""
        log = self.work / f"said-{time.monotonic_ns()}.txt"
        child = os.fork()
        if child:
            return child, log
        code = 1
        try:
            with log.open("w") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            loop.SECONDS_BETWEEN_STATES = 0.05
            command_line(words)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def finished(self, words: list[str]) -> tuple[int, str]:
        """The code that a command ends with, undisturbed, and what it said."""
        child, log = self.started(words)
        return _ended(child), log.read_text(errors="replace")

    def kill(self, words: list[str], after: float) -> bool:
        """Start a command and kill it after some seconds; whether it was still at work."""
        child, _ = self.started(words)
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status)


def _ended(child: int) -> int:
    """Wait for a process; one that does not end is killed."""
    start = time.monotonic()
    while time.monotonic() - start < LONGEST_SECONDS:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 124


def contents(folder: Path) -> dict[str, bytes]:
    """All files of an output by name, without what tells times, locks and states."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if not path.is_file() or path.name.startswith(".") or path.name == "stages.json":
            continue
        found[name] = path.read_bytes()
        if path.suffix == ".json":
            found[name] = json.dumps(_untimed(json.loads(found[name]))).encode()
        elif path.suffix in (".html", ".pt2"):
            found[name] = b"there"  # a report tells seconds, an archive dates its entries
    return found


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _untimed(v) for k, v in value.items() if not any(word in k for word in TIMED)}
    return [_untimed(one) for one in value] if isinstance(value, list) else value


def _differences(found: dict[str, bytes], wanted: dict[str, bytes]) -> str:
    names = sorted(n for n in found.keys() | wanted.keys() if found.get(n) != wanted.get(n))
    return f"{len(names)} files differ, first {names[0]}" if names else ""


def kill_rounds(stage: Stage, command: Command, kills: int, rng: Random) -> Count:
    """Kill a command so often, a few times in a row on each output, and then let it through."""
    found = Count()
    reference = stage.work / "reference" / command.name
    start = time.monotonic()
    code, said = stage.finished(stage.words(command.words, reference))
    length = time.monotonic() - start
    if code:
        return Count(1, [f"ends with {code} undisturbed: {said[-300:]}"])
    wanted = contents(reference)
    while found.tried < kills:
        out = stage.work / "killed" / command.name
        shutil.rmtree(out, ignore_errors=True)
        words, own = stage.words(command.words, out), 0
        for _ in range(10 * KILLS_IN_A_ROW):
            if own >= min(KILLS_IN_A_ROW, kills - found.tried):
                break
            own += stage.kill(words, rng.uniform(0, length))
        code, said = stage.finished(words)
        found.tried += max(own, 1)
        problem = (
            f"ends with {code}: {said[-300:]}" if code else _differences(contents(out), wanted)
        )
        if problem:
            found.violations.append(f"after {own} kills {problem}")
    return found


def two_writers(stage: Stage, rng: Random, commands: Sequence[Command]) -> Count:
    """Two processes on one output: one writes, the other is refused, nothing is mixed up."""
    found = Count()
    for command in commands:
        if command.name == "experiment":
            continue
        out = stage.work / "two" / command.name
        words = stage.words(command.words, out)
        first = stage.started(words)
        time.sleep(rng.uniform(0, 0.3))
        second = stage.started(words)
        codes = sorted((_ended(first[0]), _ended(second[0])))
        said = first[1].read_text() + second[1].read_text()
        found.tried += 1
        reference = stage.work / "reference" / command.name
        reported = "is being written to by process" in said
        late = codes == [0, 0]  # one was done before the other began, which had nothing left to do
        if not late and (codes != [0, 2] or not reported):
            found.violations.append(f"{command.name}: codes {codes}: {said[-300:]}")
        elif reference.is_dir() and (problem := _differences(contents(out), contents(reference))):
            found.violations.append(f"{command.name}: {problem}")
    return found


def outputs_inside_inputs(stage: Stage, commands: Sequence[Command]) -> Count:
    """Every command with an output that is, holds or lies inside each of its inputs."""
    found = Count()
    for command in commands:
        given = [name for name in stage.inputs if f"{{{name}}}" in command.words]
        for name in given:
            path = stage.inputs[name]
            before = {
                one: one.read_bytes() for one in stage.work.glob("inputs/**/*") if one.is_file()
            }
            for out in (path, path / "made", path.parent, path / ".." / path.name):
                found.tried += 1
                code, said = stage.finished(stage.words(command.words, out))
                if code != 2 or "refused" not in said:
                    found.violations.append(f"{command.name} into {out}: {code} {said[-200:]}")
            after = {
                one: one.read_bytes() for one in stage.work.glob("inputs/**/*") if one.is_file()
            }
            if after != before:
                found.violations.append(f"{command.name} changed its input {name}")
    return found


@contextlib.contextmanager
def small_disk(place: Path, size_kib: int, read_only: bool = False) -> Iterator[Path | None]:
    """A file system of so many KiB; none where this process may not mount one."""
    place.mkdir(parents=True, exist_ok=True)
    options = f"size={size_kib}k,mode=755" + (",ro" if read_only else "")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "vesalius", str(place)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def starved(stage: Stage, rng: Random, commands: Sequence[Command]) -> dict[str, Count]:
    """Each command on a disk that runs full at some point, and on one that cannot be written."""
    full, fixed = Count(), Count()
    for command in commands:
        if command.name == "experiment":
            continue
        reference = stage.work / "reference" / command.name
        size = sum(one.stat().st_size for one in reference.rglob("*") if one.is_file()) // 1024
        room = max(4, int(size * rng.uniform(0.1, 0.8)))
        with small_disk(stage.work / "full" / command.name, room) as disk:
            if disk is not None:
                full.tried += 1
                words = stage.words(command.words, disk / "out")
                code, said = stage.finished(words)
                if code != 2 or "disk is full" not in said:
                    full.violations.append(f"{command.name}: {code} {said[-200:]}")
                subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
                code, said = stage.finished(words)
                problem = _differences(contents(disk / "out"), contents(reference))
                if code or problem:
                    full.violations.append(f"{command.name} with room again: {code} {problem}")
        with small_disk(stage.work / "fixed" / command.name, 1024, read_only=True) as disk:
            if disk is not None:
                fixed.tried += 1
                code, said = stage.finished(stage.words(command.words, disk / "out"))
                if code != 2 or "cannot be written" not in said:
                    fixed.violations.append(f"{command.name}: {code} {said[-200:]}")
    return {"disk_full": full, "read_only": fixed}


def replaced_cases(stage: Stage, rng: Random, commands: Sequence[Command], times: int) -> Count:
    """A case that becomes another, or damaged, while a command reads its cohort."""
    found = Count()
    reading = [one for one in commands if "{brains}" in one.words or "{knees}" in one.words]
    for number in range(times if reading else 0):
        command = reading[number % len(reading)]
        name = "brains" if "{brains}" in command.words else "knees"
        copy = stage.work / "replaced" / f"{number}"
        shutil.copytree(stage.inputs[name], copy / name)
        words = command.words.replace(f"{{{name}}}", str(copy / name))
        child, log = stage.started(stage.words(words, copy / "out"))
        images = sorted((copy / name / "imagesTr").iterdir())
        for _ in range(4):
            time.sleep(rng.uniform(0, 0.5))
            one, other = rng.sample(images, 2)
            one.write_bytes(other.read_bytes() if rng.random() < 0.5 else rng.randbytes(500))
        code, said = _ended(child), log.read_text(errors="replace")
        found.tried += 1
        if code not in (0, 2):
            found.violations.append(f"{command.name}: {code} {said[-300:]}")
        shutil.rmtree(copy)
    return found


def served(work: Path, kills: int, seed: int) -> Count:
    """The server of a study, killed while people answer."""
    folder = work / "study"
    folder.mkdir()
    study = study_of_maps(folder, items=20 + 10 * kills, readers=4)
    heard = killed(study, kills, seed)
    found = Count(kills)
    gone = lost(heard, Store.at(study))
    if gone or not heard.met:
        found.violations.append(f"{len(gone)} of {len(heard.acknowledged)} answers lost")
    return found


def campaign(kills: int, seed: int, work: Path, only: tuple[str, ...] = ()) -> dict[str, Count]:
    """Everything, with so many kills in all."""
    rng, stage = Random(seed), Stage(work)
    known = (*COMMANDS, *NEWER) if only else COMMANDS
    chosen = [one for one in known if not only or one.name in only]
    stage.prepare(chosen)
    found: dict[str, Count] = {}
    whole = sum(one.share for one in chosen) + 1.0
    parts: dict[str, Callable[[], dict[str, Count]]] = {
        one.name: lambda one=one: {  # type: ignore[misc]
            one.name: kill_rounds(stage, one, max(1, round(kills * one.share / whole)), rng)
        }
        for one in chosen
    }
    parts |= {
        "serve": lambda: {"serve": served(work, max(3, round(kills / whole)), seed)},
        "two_writers": lambda: {"two_writers": two_writers(stage, rng, chosen)},
        "output_inside_input": lambda: {
            "output_inside_input": outputs_inside_inputs(stage, chosen)
        },
        "starved": lambda: starved(stage, rng, chosen),
        "replaced": lambda: {"replaced_case": replaced_cases(stage, rng, chosen, 12)},
    }
    for name, part in parts.items():
        if only and name not in only:
            continue
        for reported, count in part().items():
            found[reported] = count
            print(
                f"{reported}: {count.tried} tried, {len(count.violations)} violations", flush=True
            )
            for violation in count.violations:
                print(f"  {violation}", flush=True)
    return found


def results_of(found: dict[str, Count], seed: int) -> Results:
    """Figures by command: how often it was disturbed, and how often it did not end the same."""
    figures: dict[str, Figure] = {}
    for name, count in found.items():
        broken = len(count.violations)
        tried = counted(count.tried, "times", count.tried, "disturbances")
        figures[f"kills/{name}/tried"] = tried
        figures[f"kills/{name}/violations"] = number_of(
            broken, count.tried, "times", "disturbances"
        )
    notes = {
        "disturbances": "kills, or times a command was disturbed otherwise",
        "violations": {name: count.violations for name, count in found.items() if count.violations},
        "not_tried": [name for name, count in found.items() if not count.tried],
    }
    return Results("kills", "smallest", seed, True, figures, notes)


def main() -> None:
    """Run a campaign and write what it found."""
    parser = argparse.ArgumentParser(description="Commands that are killed and misled.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=None, help="JSON of the figures")
    parser.add_argument("--only", nargs="*", default=[])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as work:
        found = campaign(chosen.kills, chosen.seed, Path(work), tuple(chosen.only))
    if chosen.results:
        with tempfile.TemporaryDirectory() as folder:
            written = results_of(found, chosen.seed).write(Path(folder))
            shutil.copyfile(written, chosen.results)
    raise SystemExit(any(count.violations for count in found.values()))


if __name__ == "__main__":
    main()
