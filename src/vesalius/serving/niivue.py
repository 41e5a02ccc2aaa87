"""The viewer of the pages: niivue's own build from npm, one version, held by its checksum.

It is fetched once, with the user's npm and from the registry npm is set to, and copied into every
study, so that pages need no network.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from vesalius.scans.input_error import InputError
from vesalius.scans.writing import make_folder, refused_if_unwritable

PACKAGE, VERSION = "@niivue/niivue", "0.69.0"
INTEGRITY = (
    "YMjQvJgD1W2b7DuoxkwlC4VxbrgIePRJ5qyQzXKxi2v2MBVg285P/CIQyg46oDDGDIcaNlbd+MhtO/edMbXJkA=="
)
"""SHA-512 of the package, as the registry tells it."""
MEMBER = "package/dist/niivue.umd.js"
LICENCE = f"/* niivue {VERSION}, BSD-2-Clause, https://github.com/niivue/niivue */\n"
FILE = "niivue.js"


def niivue_script() -> Path:
    """The script in the user's cache; fetched if it is not there.

    Raises:
        InputError: without npm, without a network at the first time, or for another package than
            the one that was checked.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vesalius"
    kept = cache / f"niivue-{VERSION}.js"
    if kept.is_file():
        return kept
    make_folder(cache)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        script = _fetched(Path(folder))
        with refused_if_unwritable(kept):
            os.replace(script, kept)
    return kept


def _fetched(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        fault = "is not installed, and the viewer of the pages comes through it"
        raise InputError("npm", fault, "install Node.js; npm is needed once, with a network")
    ran = subprocess.run(
        [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    packages = list(folder.glob("*.tgz"))
    if ran.returncode or len(packages) != 1:
        reason = (ran.stderr.strip().splitlines() or ["no package"])[-1]
        raise InputError(
            "npm", f"could not fetch {PACKAGE} ({reason})", "check the network, try again"
        )
    result = base64.b64encode(hashlib.sha512(packages[0].read_bytes()).digest()).decode()
    if result != INTEGRITY:
        fault = f"gave another {PACKAGE} {VERSION} than the one that was checked"
        raise InputError("npm", fault, "check which registry npm is set to")
    with tarfile.open(packages[0]) as package:
        stream = package.extractfile(MEMBER)
        assert stream is not None
        script = folder / FILE
        script.write_text(LICENCE + stream.read().decode("utf-8"), encoding="utf-8")
    return script
