"""What tests in a real browser share: Chromium, its flags, and what comes through npm."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
import uvicorn

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome")
     if (found := shutil.which(name))), None,
)  # fmt: skip
FLAGS = [
    "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic",
    "--ignore-gpu-blocklist", "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
AXE = "axe-core@4.14.1"


def left_out(reason: str) -> NoReturn:
    """Skip a test for want of a program, but never where everything must be tested."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An application behind an address of this machine."""
    settings = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", access_log=False)
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def axe_script(folder: Path) -> str:
    """The checker of accessibility, fetched by npm."""
    npm = shutil.which("npm")
    if npm is None:
        left_out("npm is not installed")
    ran = subprocess.run(
        [npm, "pack", "--silent", AXE], cwd=folder, capture_output=True, text=True, check=False
    )
    packages = list(folder.glob("axe-core-*.tgz"))
    if ran.returncode or not packages:
        left_out(f"npm could not fetch {AXE}")
    with tarfile.open(packages[0]) as package:
        stream = package.extractfile("package/axe.min.js")
        assert stream is not None
        return stream.read().decode("utf-8")
