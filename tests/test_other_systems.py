"""A fit, a generation and an audit where what only Linux has is taken away.

`fork`, `sysconf` and `posix_fallocate` are gone, `fcntl`, `resource` and `pwd` cannot be imported,
a rename onto a file that is there is refused as on Windows, and text is Latin-1 unless an encoding
is named.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WITHOUT = """
import builtins, errno, io, os, pathlib, sys

import multiprocessing.util, psutil, subprocess, torch  # they look once whether they are on Linux

for name in ("fork", "forkpty", "sysconf", "posix_fallocate", "sched_getaffinity", "uname",
             "getuid", "geteuid", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("fcntl", "resource", "pwd", "grp"):
    sys.modules[name] = None

plain = os.rename

def renamed(source, target, **options):
    if os.path.exists(target):
        raise FileExistsError(errno.EEXIST, "Cannot create a file when that file already exists")
    return plain(source, target, **options)

os.rename = renamed
opened = io.open

def in_latin(file, mode="r", buffering=-1, encoding=None, *rest, **options):
    mine = sys._getframe(1).f_code.co_filename
    if encoding is None and "b" not in mode and "vesalius" in mine:
        raise UnicodeDecodeError("cp1252", b"", 0, 1, f"no encoding is named in {mine}")
    return opened(file, mode, buffering, encoding, *rest, **options)

builtins.open = in_latin
"""

DAY = """
import vesalius as vs

quiet = lambda what, done, of: None
real = vs.phantom("brain", "real", count=12, spacing_mm=8, workers=1, progress=quiet)
unseen = vs.phantom("brain", "unseen", count=12, spacing_mm=8, seed=4, workers=1,
                    progress=quiet)
run = vs.fit("guided", real, "run", preset="smallest", progress=quiet)
again = vs.fit("guided", real, "run", preset="smallest", progress=quiet)
made = vs.balance(run, real, {"ventricle_volume_ml": (15, 30)}, out="made", count=2, tolerance=0.9,
                  progress=quiet)
found = vs.audit(real, made, unseen, out="audit", progress=quiet)
print(len(made.cohort.cases), "cases,", len(found.figures), "figures")
"""


def test_a_day_of_work_needs_nothing_that_only_linux_has(tmp_path: Path) -> None:
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "OMP_NUM_THREADS": "1",
                                "LOGNAME": "somebody"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT + DAY], cwd=tmp_path, env=environment,
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("2 cases, ")
