"""`vesalius open`: look at cohorts and ask runs in the browser."""

from __future__ import annotations

from pathlib import Path

from vesalius.api.console import console
from vesalius.cli.options import Flag
from vesalius.scans.input_error import InputError


def open_(
    path: list[Path], *, out: Path = Path("workbench"), host: str = "127.0.0.1", port: int = 8090,
    certificate: Path | None = None, key: Path | None = None, link_only: Flag = False,
) -> None:  # fmt: skip
    """Look at cohorts and ask runs in the browser, on this machine.

    Cases, what is rare and faults of a cohort; what a run makes of a request, as you move a slider.
    Long work stands in a queue, which goes on after a restart. What is good is kept as a cohort.

    Parameters
    ----------
    path: list[Path]
        Cohorts and runs, as many as you like.
    out: Path
        Folder of the queue and of what is kept.
    host: str
        Address to listen at; any but this machine's own needs TLS.
    port: int
        Of it.
    certificate: Path
        Of TLS, PEM.
    key: Path
        Of the certificate, PEM.
    link_only: bool
        Print the link and open nothing.
    """
    try:
        from vesalius.workbench.running import open_workbench
    except ImportError as error:
        remedy = "pip install 'vesalius[readers]'"
        raise InputError(error.name or "a library", "is not installed", remedy) from error

    open_workbench(
        path, out, host, port, certificate, key, not link_only,
        lambda link: console.print(f"workbench: {link}", soft_wrap=True, markup=False),
    )  # fmt: skip
