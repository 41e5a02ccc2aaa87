"""`vesalius info`: what is this?"""

from __future__ import annotations

from pathlib import Path

from vesalius.api.console import console


def info(path: Path) -> None:
    """Say what a run, a cohort or a results file is, without reading a single image.

    Parameters
    ----------
    path: Path
        Folder of a run, of a cohort, or of an experiment or proof, or a results.json.
    """
    from vesalius.api.information import info as lines_of

    for line in lines_of(path):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
