"""Twenty readers at once, and a server that is killed: is an acknowledged answer ever lost?

    .venv/bin/python -m benchmarks.reader_study --kills 100 --readers 20

Each reader answers case after case and sends an answer again, with the same key, until it is
acknowledged. The server is killed (SIGKILL) at random moments and started again. In the end every
acknowledged answer must stand in the database, once, as it was sent.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
import numpy as np

from vesalius.readers.answers.store import Store
from vesalius.readers.design import SaliencyDesign
from vesalius.readers.items import Item, Selection, Shown
from vesalius.readers.orders import order_of
from vesalius.readers.questions import questions_of
from vesalius.readers.study import Study
from vesalius.readers.writing import write_study
from vesalius.serving.niivue import FILE

PIXEL = b"\x89PNG\r\n\x1a\n"
METHODS = ("one", "two")
WAIT = 0.05


@dataclass
class Heard:
    """What readers were told, over all threads.

    Attributes:
        acknowledged: content of each key.
        seconds: from sending to acknowledgement, of answers that were acknowledged at once.
        repeated: sendings after the first.
        met: kills that met readers still at work.
    """

    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    repeated: int = 0
    met: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def study_of_maps(folder: Path, items: int, readers: int) -> Study:
    """A study whose pictures nobody looks at."""
    design = SaliencyDesign(
        design="saliency", title="Load", readers=readers,
        methods={name: Path(name) for name in METHODS},
    )  # fmt: skip
    shown = tuple(Shown(PIXEL, ".png", "map", name) for name in METHODS)
    generated = Selection(tuple(Item(f"case {n}", "", shown, "") for n in range(items)), ())
    orders = [order_of(items, 0, 0, len(METHODS), 0, reader) for reader in range(readers)]
    (folder / FILE).write_text("")
    return write_study(folder, design, generated, orders, {
        "design": "saliency", "title": "Load", "language": "en", "windows": (), "span": (0, 1),
        "questions": questions_of(design), "washout_days": 0.0,
    })  # fmt: skip


def killed(study: Study, kills: int, seed: int = 0, database: str | None = None) -> Heard:
    """Let all readers of a study answer it while the server is killed again and again."""
    rng, port, heard = Random(seed), _free_port(), Heard()
    server = _started(study, port, database)
    readers = [
        threading.Thread(target=_read, args=(study, reader, port, heard), daemon=True)
        for reader in range(study.readers)
    ]
    for reader in readers:
        reader.start()
    for _ in range(kills):
        time.sleep(rng.uniform(0.05, 0.6))
        heard.met += any(reader.is_alive() for reader in readers)
        server.send_signal(signal.SIGKILL)
        server.wait()
        server = _started(study, port, database)
    for reader in readers:
        reader.join()
    server.terminate()
    server.wait()
    return heard


def lost(heard: Heard, store: Store) -> list[str]:
    """Keys of acknowledged answers that are not there once and as they were sent."""
    kept: dict[str, list[dict[str, Any]]] = {}
    for answer in store.every():
        kept.setdefault(answer.key, []).append(answer.content)
    return [key for key, content in heard.acknowledged.items() if kept.get(key) != [content]]


def _read(study: Study, reader: int, port: int, heard: Heard) -> None:
    """Answer every case; what is not acknowledged is sent again."""
    rng, client = Random(reader), httpx.Client(
        base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False,
        headers={"Authorization": f"Bearer {study.tokens()[reader]}"},
    )  # fmt: skip
    for step in range(len(study.steps(reader))):
        content = {"usefulness_1": rng.randint(0, 5), "usefulness_2": rng.randint(0, 5),
                   "comment": f"reader {reader}, case {step}"}  # fmt: skip
        key = secrets.token_hex(16)
        sent = {"key": key, "sitting": "sitting-1", "seconds": 1.0, "content": content}
        tries = 0
        while True:
            started = time.perf_counter()
            try:
                answer = client.post(f"/api/steps/{step}", json=sent)
            except httpx.TransportError:
                tries += 1
                time.sleep(WAIT)
                continue
            if answer.status_code != 200:
                raise AssertionError(f"{answer.status_code}: {answer.text}")
            break
        with heard.lock:
            heard.acknowledged[key] = content
            heard.repeated += tries
            if not tries:
                heard.seconds.append(time.perf_counter() - started)


def _started(study: Study, port: int, database: str | None) -> subprocess.Popen[bytes]:
    reported = json.dumps([str(study.folder), port, database])
    code = (
        "import json, sys; from vesalius.readers.study import Study; "
        "from vesalius.readers.answers.store import Store; "
        "from vesalius.readers.serving.running import serve; "
        "folder, port, database = json.loads(sys.argv[1]); "
        "study = Study.open(folder); "
        "serve(study, Store.at(study, database), '127.0.0.1', port, None, None, False)"
    )
    server = subprocess.Popen([sys.executable, "-c", code, reported])
    while server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return server
        except OSError:
            time.sleep(0.02)
    raise AssertionError("the server did not start")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> None:
    """Run it and print what was measured."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=100)
    arguments.add_argument("--readers", type=int, default=20)
    arguments.add_argument("--items", type=int, default=300)
    arguments.add_argument("--database", default=None)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = study_of_maps(Path(folder), given.items, given.readers)
        heard = killed(study, given.kills, database=given.database)
        gone = lost(heard, Store.at(study, given.database))
        stored = len(Store.at(study, given.database).every())
    half, most = np.percentile(heard.seconds, [50, 99])
    print(
        f"{given.readers} readers, {heard.met} of {given.kills} kills while they read: "
        f"{len(heard.acknowledged)} acknowledged, {stored} stored, {len(gone)} lost or changed, "
        f"{heard.repeated} sendings without an answer; "
        f"median {1000 * half:.0f} ms, 99th percentile {1000 * most:.0f} ms"
    )
    complete = len(heard.acknowledged) == given.readers * given.items and heard.met == given.kills
    raise SystemExit(bool(gone) or not complete)


if __name__ == "__main__":
    main()
